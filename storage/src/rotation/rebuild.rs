//! Encryption on or off for a member that has data: everything is copied into new directories in the new form.
//!
//! The steps, each on stable storage before the next: the old form is recovered and checkpointed; every database and the
//! log are copied and the copies read back; the keystore is replaced, which is the switch; the old directories are
//! removed. A crash before the switch leaves the old form and directories that the next start removes; after it, the new
//! form, and the next start removes the old directories.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use coffer_keyring::{FormChange, KeyOwner, Keyring, KeystoreError};
use rocksdb::{DB, DBRawIterator, WriteBatch, WriteOptions};

use crate::{
    LogStore, StorageOptions,
    engine::{Engine, database_dir},
    error::StorageError,
    instance::{FixedKey, NoKeys, OpenKind, Opener, opener::remove_tree},
    log::LogKey,
    sealed_fs::KeySource,
    snapshot::DatabaseDigest,
};

/// Bytes that are copied in one batch.
const BATCH_BYTES: usize = 1 << 20;

/// Rebuilds all data of a member in the form that `change` prepared, and switches to it. Nothing of the old form is left.
/// To be called at a start, before the log is opened, and with the data directory locked. Needs as much free space as
/// the data take. Blocks for as long as copying takes. Once `stopped` is true it does not switch any more, and what was
/// copied goes: data that are on their way into the clear must not get there after the customer's key was taken away.
///
/// # Errors
/// [`StorageError::Closed`] where it was stopped.
/// [`KeystoreError::FormStale`] where recovery made or dropped databases that `change` does not know of: prepare the
/// change again. Else as [`Engine::recover`]; the old form is whole then, unless the keystore says otherwise.
pub fn rebuild_form(
    options: &StorageOptions,
    old: Keyring,
    change: FormChange,
    stopped: &AtomicBool,
) -> Result<Keyring, StorageError> {
    let disk = &*options.disk;
    let (old_data, old_log) =
        (options.generation_dir(old.generation().0), options.raft_dir(old.raft_generation()));
    // Opened without its files, the log would be a new one, and the switch would hide that it had been lost.
    let current = old_log.join("CURRENT");
    let is_there = match options.disk.metadata(&current) {
        Ok(_) => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(StorageError::io(format!("look at {}", current.display()), error)),
    };
    if old.incarnation().0 > 0 && !is_there {
        return Err(StorageError::PutBack { what: "the Raft log is missing".to_owned() });
    }
    {
        // Both remove what a crashed attempt has left.
        let log = LogStore::open(options, &old)?;
        let engine = Engine::recover(options, &old, &log)?;
        if old.databases() != change.databases() {
            return Err(KeystoreError::FormStale.into());
        }
        engine.checkpoint()?;
        let result = copy_all(options, &engine, &log, &old, &change, stopped);
        engine.close();
        let closed = log.close();
        if let Err(error) = result.and(closed) {
            // What cannot be removed now is removed by the next start.
            let removed = remove_tree(disk, &options.generation_dir(change.generation().0))
                .and_then(|()| remove_tree(disk, &options.raft_dir(change.raft_generation())));
            if let Err(error) = removed {
                tracing::warn!(%error, "a copy of the data that is not used could not be removed");
            }
            return Err(error);
        }
    }
    let keyring = change.commit()?;
    remove_tree(disk, &old_data)?;
    remove_tree(disk, &old_log)?;
    tracing::info!(
        encryption = keyring.encryption_enabled(),
        generation = keyring.generation().0,
        "all data are in their new form"
    );
    Ok(keyring)
}

fn copy_all(
    options: &StorageOptions,
    engine: &Engine,
    log: &LogStore,
    old: &Keyring,
    change: &FormChange,
    stopped: &AtomicBool,
) -> Result<(), StorageError> {
    let opener = Opener::new(options, change.encrypts());
    let keys = |owner| -> Arc<dyn KeySource> {
        match change.key(owner) {
            Some(key) => Arc::new(FixedKey::new(key)),
            None => Arc::new(NoKeys),
        }
    };
    let generation = options.generation_dir(change.generation().0);
    for instance in engine.databases().instances() {
        let id = instance.id();
        let dir = generation.join(database_dir(id));
        let pinned = instance.pin()?;
        let source = pinned.iterate(None, None, true);
        copy(&opener, OpenKind::Database, &dir, keys(KeyOwner::Database(id)), source, Some, stopped)
            .map_err(|error| error.in_instance(instance.name()))?;
    }
    let checkpoint = LogKey::checkpoint(old.generation().0);
    let new_checkpoint = LogKey::checkpoint(change.generation().0);
    let rename = |key: Vec<u8>| match key {
        key if key == checkpoint => Some(new_checkpoint.to_vec()),
        // Of another generation, which is no more.
        key if key.starts_with(LogKey::CHECKPOINTS) && key.len() == checkpoint.len() => None,
        key => Some(key),
    };
    let dir = options.raft_dir(change.raft_generation());
    copy(&opener, OpenKind::Log, &dir, keys(KeyOwner::Raft), log.iterate(), rename, stopped)
        .map_err(|error| error.in_instance("raft"))
}

/// What goes wrong in a copy.
enum CopyError {
    Engine(rocksdb::Error),
    Other(StorageError),
    Differs,
}

impl CopyError {
    fn in_instance(self, name: &str) -> StorageError {
        match self {
            Self::Engine(source) => StorageError::Engine { instance: name.to_owned(), source },
            Self::Other(error) => error,
            Self::Differs => StorageError::io(
                format!("copy {name}"),
                std::io::Error::other("the copy is not what was copied: the disk or the memory is failing"),
            ),
        }
    }
}

impl From<rocksdb::Error> for CopyError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StorageError> for CopyError {
    fn from(error: StorageError) -> Self {
        Self::Other(error)
    }
}

/// Copies what `source` walks over, under the keys that `rename` gives, into a new instance, on stable storage on return.
fn copy(
    opener: &Opener,
    kind: OpenKind,
    dir: &Path,
    keys: Arc<dyn KeySource>,
    mut source: DBRawIterator<'_>,
    rename: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
    stopped: &AtomicBool,
) -> Result<(), CopyError> {
    let go_on = || match stopped.load(Ordering::Acquire) {
        true => Err(CopyError::Other(StorageError::Closed)),
        false => Ok(()),
    };
    let target = opener.open(kind, dir, keys, true)?;
    let mut options = WriteOptions::default();
    options.disable_wal(kind == OpenKind::Database);
    let mut written = DatabaseDigest::new(0);
    let mut batch = WriteBatch::default();
    source.seek_to_first();
    while let Some((key, value)) = source.item() {
        if let Some(key) = rename(key.to_vec()) {
            written.add(0, &key, value);
            batch.put(&key, value);
            if batch.size_in_bytes() >= BATCH_BYTES {
                go_on()?;
                target.write_opt(std::mem::take(&mut batch), &options)?;
            }
        }
        source.next();
    }
    source.status()?;
    target.write_opt(batch, &options)?;
    if kind == OpenKind::Log {
        target.flush_wal(true)?;
    }
    target.flush()?;
    let same = written.finish() == digest(&target)?;
    target.cancel_all_background_work(true);
    go_on()?;
    if same { Ok(()) } else { Err(CopyError::Differs) }
}

fn digest(db: &DB) -> Result<coffer_proto::internal::v1::SnapshotDatabase, rocksdb::Error> {
    let mut digest = DatabaseDigest::new(0);
    let mut iterator = db.raw_iterator();
    iterator.seek_to_first();
    while let Some((key, value)) = iterator.item() {
        digest.add(0, key, value);
        iterator.next();
    }
    iterator.status()?;
    Ok(digest.finish())
}
