//! Brings the databases to one applied id before openraft sees them.
//!
//! After a crash every instance stands where its own last flush left it. Recovery opens them, checks each against the
//! checkpoint record, and replays the log from the record to the greatest of the saved committed id and any instance's
//! id; an instance skips what it has. Only then is an applied id shown.

use std::sync::Arc;

use coffer_keyring::{DatabaseId, Keyring};
use coffer_proto::internal::v1::{CheckpointRecord, DatabaseRecord, RecordStoredMembership};
use rocksdb::{Direction, IteratorMode};

use super::{ADMIN, Engine, database_dir};
use crate::{
    LogStore, StorageOptions,
    error::StorageError,
    instance::{DatabaseInstance, Key, opener::remove_tree},
    raft::{LogId, StoredMembership, wire},
};

/// Bytes of log in memory at a time during replay.
const REPLAY_BUDGET: u64 = 8 << 20;

impl Engine {
    /// Opens all databases of the live generation and replays the log. Blocks.
    ///
    /// # Errors
    /// The disk fails, files are damaged, or parts of the directory are missing or older than others.
    pub fn recover(
        options: &StorageOptions,
        keyring: &Keyring,
        log: &LogStore,
    ) -> Result<Arc<Self>, StorageError> {
        let engine = Arc::new(Self::new(options, keyring, log));
        let generation = keyring.generation().0;
        let checkpoint = log.checkpoint(generation)?.unwrap_or_default();
        engine.remove_leftovers(generation)?;
        engine.open_all(&checkpoint)?;
        let catalog = read_catalog(&*engine.admin()?)?;
        engine.databases_mut().enter_all(catalog);

        let through = checkpoint.through.as_ref().map(wire::log_id_from_pb);
        engine.check_log(through)?;
        engine.set_checkpoint(through.map_or(0, |id| id.index));
        log.use_checkpoint(&checkpoint);
        log.forget_checkpoints_except(generation)?;
        let membership = stored_membership(&*engine.admin()?)?;
        engine.set_applied(through, Some(membership));
        engine.replay(through)?;
        Ok(engine)
    }

    /// Removes generations that are not live, and directories of databases whose keys are gone: a crash left them.
    fn remove_leftovers(&self, generation: u64) -> Result<(), StorageError> {
        let disk = &**self.opener.disk();
        let generations = self.options.generations_dir();
        for name in list(disk, &generations)? {
            if name != generation.to_string() {
                remove_tree(disk, &generations.join(name))?;
            }
        }
        let live: Vec<String> =
            self.keyring.databases().into_iter().chain([ADMIN]).map(database_dir).collect();
        let dir = self.options.generation_dir(generation);
        for name in list(disk, &dir)? {
            if !live.contains(&name) {
                remove_tree(disk, &dir.join(name))?;
            }
        }
        Ok(())
    }

    fn open_all(&self, checkpoint: &CheckpointRecord) -> Result<(), StorageError> {
        if checkpoint.through.is_none() {
            self.keyring.create_database(ADMIN, 0)?;
        }
        for id in self.keyring.databases() {
            let recorded = checkpoint
                .databases
                .iter()
                .find(|database| database.database_id == id.0)
                .map_or(0, |database| database.writes_end);
            // A database is created by the entry of its id: one from before the checkpoint is not made anew.
            let is_new = checkpoint.through.as_ref().is_none_or(|through| id.0 > through.index);
            let instance = self.open_instance(id, is_new)?;
            if instance.writes_end() < recorded {
                return Err(StorageError::PutBack {
                    what: format!(
                        "{} holds writes up to log index {}, and held {recorded} when it was last recorded",
                        instance.name(),
                        instance.writes_end(),
                    ),
                });
            }
            self.databases_mut().insert(instance);
        }
        for recorded in &checkpoint.databases {
            let id = DatabaseId(recorded.database_id);
            if self.instance(id).is_err() && self.keyring.tombstone(id).is_none() {
                return Err(StorageError::PutBack {
                    what: format!("the keystore does not know database {}", database_dir(id)),
                });
            }
        }
        Ok(())
    }

    /// Compares where the log ends with what the record says.
    fn check_log(&self, through: Option<LogId>) -> Result<(), StorageError> {
        let Some(through) = through else { return Ok(()) };
        let last = self.log.last_log_id();
        if last.is_some_and(|last| last.index >= through.index) {
            return Ok(());
        }
        Err(StorageError::PutBack {
            what: format!(
                "the log ends at index {}, and the databases hold everything through {}",
                last.map_or(0, |id| id.index),
                through.index
            ),
        })
    }

    fn replay(&self, through: Option<LogId>) -> Result<(), StorageError> {
        let start = through.map_or(0, |id| id.index + 1);
        let start = start.max(self.log.purged().map_or(0, |id| id.index + 1));
        let ahead = self.databases().instances().iter().map(|instance| instance.writes_end()).max();
        let end = ahead.unwrap_or(0).max(self.log.committed().map_or(0, |id| id.index + 1));
        let log_end = self.log.last_log_id().map_or(0, |id| id.index + 1);
        if end > log_end {
            return Err(StorageError::PutBack {
                what: format!(
                    "the log ends before index {log_end}, and a database holds writes before {end}"
                ),
            });
        }
        if start < end {
            tracing::info!(from = start, before = end, "replaying the log");
        }
        let mut next = start;
        while next < end {
            let entries = self.log.read_entries(next, end, REPLAY_BUDGET)?;
            for entry in &entries {
                self.apply(entry)?;
            }
            next += entries.len() as u64;
        }
        Ok(())
    }
}

/// The membership in an admin database.
pub fn stored_membership(admin: &DatabaseInstance) -> Result<StoredMembership, StorageError> {
    let Some(bytes) = admin.get(Key::MEMBERSHIP)? else { return Ok(StoredMembership::default()) };
    wire::decode("membership", &bytes, |r: &RecordStoredMembership| r.format)
        .and_then(|record| wire::stored_membership_from_pb(&record))
        .map_err(|error| admin.record(error))
}

/// The names and ids in an admin database.
pub fn read_catalog(admin: &DatabaseInstance) -> Result<Vec<(String, DatabaseId)>, StorageError> {
    let mut catalog = Vec::new();
    for item in admin.db().iterator(IteratorMode::From(Key::DATABASES, Direction::Forward)) {
        let (key, value) = item.map_err(|error| admin.engine(error))?;
        if !key.starts_with(Key::DATABASES) {
            break;
        }
        let record: DatabaseRecord = wire::decode("database record", &value, |r: &DatabaseRecord| r.format)
            .map_err(|error| admin.record(error))?;
        catalog.push((record.name, DatabaseId(record.id)));
    }
    Ok(catalog)
}

fn list(disk: &dyn crate::sealed_fs::Disk, dir: &std::path::Path) -> Result<Vec<String>, StorageError> {
    match disk.list(dir) {
        Ok(names) => Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(StorageError::io(format!("list {}", dir.display()), error)),
    }
}
