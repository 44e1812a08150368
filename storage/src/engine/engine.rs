//! What holds the databases together.
//!
//! Invariants: entries are applied one after another, in order, by one caller; the applied id is shown only after all of
//! an entry's effect is readable; the set of open instances changes only under `structure`.

use std::path::Path;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use coffer_keyring::{DatabaseId, KeyOwner, Keyring};
use tokio::sync::watch;

use super::{Databases, databases::ADMIN};
use crate::{
    LogStore, StorageOptions,
    error::StorageError,
    instance::{DatabaseInstance, OpenKind, Opener, RingKeys, live::end_manual_compactions},
    raft::{LogId, StoredMembership},
    snapshot::{Sending, StagingPlace},
};

/// The databases of this member.
pub struct Engine {
    pub(crate) options: StorageOptions,
    pub(crate) opener: Opener,
    pub(crate) keyring: Keyring,
    pub(crate) log: LogStore,
    databases: RwLock<Databases>,
    applied: Mutex<Applied>,
    applied_index: watch::Sender<u64>,
    checkpoint: AtomicU64,
    /// How often the replica set's own records changed since the start.
    pub(super) system_changes: watch::Sender<u64>,
    closed: AtomicBool,
    /// Views on their way to peers: the log is kept from there on.
    pub(crate) sending: Sending,
    /// The place for a snapshot that is received.
    pub(crate) staging: StagingPlace,
    /// Held while instances are flushed for a checkpoint, or replaced by those of a snapshot.
    structure: Mutex<()>,
    /// Held while an instance is compacted for a rewrite; taken after `structure`, never before it.
    rewrite: Mutex<()>,
    /// There may be databases with more than one version of their key.
    pub(crate) keys_pending: AtomicBool,
    /// No rewrite is begun any more.
    stopping: AtomicBool,
}

/// How far this member is.
#[derive(Clone, Default)]
pub struct Applied {
    /// The last entry whose effect is readable.
    pub log_id: Option<LogId>,
    /// The last membership among those entries.
    pub membership: StoredMembership,
}

impl Engine {
    pub(super) fn new(options: &StorageOptions, keyring: &Keyring, log: &LogStore) -> Self {
        Self {
            options: options.clone(),
            opener: Opener::new(options, keyring.encryption_enabled()),
            keyring: keyring.clone(),
            log: log.clone(),
            databases: RwLock::new(Databases::default()),
            applied: Mutex::new(Applied::default()),
            applied_index: watch::Sender::new(0),
            checkpoint: AtomicU64::new(0),
            system_changes: watch::Sender::new(0),
            closed: AtomicBool::new(false),
            sending: Sending::default(),
            staging: StagingPlace::default(),
            structure: Mutex::new(()),
            rewrite: Mutex::new(()),
            // Until it was looked.
            keys_pending: AtomicBool::new(true),
            stopping: AtomicBool::new(false),
        }
    }

    /// The last entry whose effect is readable.
    pub fn applied(&self) -> Option<LogId> {
        self.applied_state().log_id
    }

    /// The member's data directory.
    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    /// Index of the last entry whose effect is readable; changes wake the receiver.
    pub fn applied_index(&self) -> watch::Receiver<u64> {
        self.applied_index.subscribe()
    }

    /// Applied id and membership.
    pub fn applied_state(&self) -> Applied {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything through this index is in database files; 0 before the first checkpoint.
    pub fn checkpoint_index(&self) -> u64 {
        self.checkpoint.load(Ordering::Acquire)
    }

    pub(crate) fn set_checkpoint(&self, index: u64) {
        self.checkpoint.store(index, Ordering::Release);
    }

    /// The id of a database, from memory.
    pub fn database_id(&self, name: &str) -> Option<DatabaseId> {
        self.databases().id(name)
    }

    /// The name of a database, from memory.
    pub fn database_name(&self, id: DatabaseId) -> Option<String> {
        self.databases().name(id).map(str::to_owned)
    }

    /// How many databases there are, the admin database aside.
    pub fn database_count(&self) -> usize {
        self.databases().names().count()
    }

    /// Closes every instance without flushing: the log has everything.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let _structure = self.structure();
        let mut databases = self.databases_mut();
        for instance in databases.instances() {
            instance.close();
        }
        *databases = Databases::default();
    }

    /// Whether `close` was called: what fails then fails because the member stops.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn databases(&self) -> RwLockReadGuard<'_, Databases> {
        self.databases.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn databases_mut(&self) -> RwLockWriteGuard<'_, Databases> {
        self.databases.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn structure(&self) -> MutexGuard<'_, ()> {
        self.structure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no instance is compacted for a rewrite, and keeps it so.
    pub(crate) fn rewrite_turn(&self) -> MutexGuard<'_, ()> {
        self.rewrite.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether rewrites are ended because the member stops.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends rewrites of databases that are under way, and begins none any more.
    pub(crate) fn end_rewrites(&self) {
        self.stopping.store(true, Ordering::Release);
        for instance in self.databases().instances() {
            end_manual_compactions(instance.db());
        }
    }

    pub(crate) fn instance(&self, id: DatabaseId) -> Result<Arc<DatabaseInstance>, StorageError> {
        self.databases().get(id)
    }

    pub(crate) fn admin(&self) -> Result<Arc<DatabaseInstance>, StorageError> {
        self.instance(ADMIN)
    }

    pub(crate) fn set_applied(&self, log_id: Option<LogId>, membership: Option<StoredMembership>) {
        {
            let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
            applied.log_id = log_id;
            if let Some(membership) = membership {
                applied.membership = membership;
            }
        }
        self.applied_index.send_replace(log_id.map_or(0, |id| id.index));
    }

    /// Opens a database of the live generation under the keys that the keyring has for it.
    pub(crate) fn open_instance(
        &self,
        id: DatabaseId,
        create: bool,
    ) -> Result<Arc<DatabaseInstance>, StorageError> {
        let dir = self.options.generation_dir(self.keyring.generation().0).join(database_dir(id));
        let keys = Arc::new(RingKeys::new(self.keyring.clone(), KeyOwner::Database(id)));
        let db = self.opener.open(OpenKind::Database, &dir, keys, create)?;
        Ok(Arc::new(DatabaseInstance::new(id, &dir, db)?))
    }
}

/// The directory of a database within a generation: its id, which says nothing about it.
pub fn database_dir(id: DatabaseId) -> String {
    format!("{:016x}", id.0)
}
