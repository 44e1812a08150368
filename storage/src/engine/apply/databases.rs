//! Commands on the catalog of databases, which the admin database holds.

use coffer_document::DocumentError;
use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::{Command, CommandResult, CreateDatabase, DatabaseRecord, DropDatabase};
use prost::Message;
use rocksdb::WriteBatch;

use super::{Execution, refused};
use crate::{
    engine::{Engine, database_dir},
    error::StorageError,
    instance::{Key, opener::remove_tree},
    raft::{LogId, wire},
};

/// Databases of a replica set at most: each costs every member some open files and memory. The same on all members, or they
/// would differ in what they refuse.
pub const MAX_DATABASES: usize = 1024;

impl Engine {
    /// Enters a database. Its id is the log index, so it is never used twice. Answers the id of the one that is there
    /// already, if there is.
    pub(super) fn create_database(
        &self,
        log_id: &LogId,
        action: &CreateDatabase,
    ) -> Result<CommandResult, StorageError> {
        let admin = self.admin()?;
        if let Some(existing) = self.existing_id(&action.name)?.filter(|id| id.0 != log_id.index) {
            if !admin.has(log_id.index) {
                admin.write(WriteBatch::default(), log_id)?;
            }
            return Ok(CommandResult { database_id: existing.0, ..CommandResult::default() });
        }
        if !admin.has(log_id.index) && self.database_count() >= MAX_DATABASES {
            admin.write(WriteBatch::default(), log_id)?;
            return Ok(refused(DocumentError::illegal_operation(format!(
                "there are {MAX_DATABASES} databases, which is the limit: drop one, or use collections"
            ))));
        }
        let id = DatabaseId(log_id.index);
        // A replay can pass a database by that was dropped later: its key is gone and stays gone.
        if self.keyring.tombstone(id).is_none() && self.instance(id).is_err() {
            self.keyring.create_database(id, log_id.index)?;
            let instance = self.open_instance(id, true)?;
            self.databases_mut().insert(instance);
        }
        if !admin.has(log_id.index) {
            let record = DatabaseRecord { format: wire::FORMAT, id: id.0, name: action.name.clone() };
            let mut batch = WriteBatch::default();
            batch.put(Key::database(&action.name), record.encode_to_vec());
            admin.write(batch, log_id)?;
            self.databases_mut().enter(action.name.clone(), id);
        }
        Ok(CommandResult { database_id: id.0, ..CommandResult::default() })
    }

    /// Drops a database: its instance is closed, its key destroyed and tombstoned, its files removed.
    ///
    /// The entry is on stable storage here, as every entry is that is applied; so the order below leaves nothing that a
    /// restart does not finish: the tombstone is durable first, and a replay strikes the name.
    pub(super) fn drop_database(
        &self,
        log_id: &LogId,
        command: &Command,
        action: &DropDatabase,
    ) -> Result<CommandResult, StorageError> {
        // No flush may be under way in a directory that is removed.
        let _structure = self.structure();
        let admin = self.admin()?;
        let mut execution = Execution::new(&admin);
        let is_new = !admin.has(log_id.index);
        let retry = command.retry.as_ref().filter(|_| is_new);
        if let Some(earlier) = retry.map(|id| execution.earlier_try(id)).transpose()?.flatten() {
            execution.finish(log_id)?;
            return Ok(earlier);
        }
        let id = DatabaseId(action.database_id);
        let named = self.existing_id(&action.name)? == Some(id);
        let mut dropped = 0;
        if named || self.keyring.tombstone(id) == Some(log_id.index) {
            dropped = 1;
            let instance = self.databases_mut().remove(id);
            let dir = self.options.generation_dir(self.keyring.generation().0).join(database_dir(id));
            if let Some(instance) = instance {
                instance.close();
            }
            // A rewrite of its files ends with the close; RocksDB must be done with them before they go.
            drop(self.rewrite_turn());
            self.keyring.drop_database(id, log_id.index)?;
            remove_tree(&**self.opener.disk(), &dir)?;
        }
        let result = CommandResult {
            format: wire::FORMAT,
            applied_index: log_id.index,
            deleted: dropped,
            database_id: id.0,
            ..CommandResult::default()
        };
        if is_new {
            if named {
                execution.batch.delete(Key::database(&action.name));
            }
            if let Some(id) = retry {
                execution.remember(id, &result, command.time_ms)?;
            }
            execution.finish(log_id)?;
            if named {
                self.databases_mut().strike(&action.name);
            }
        }
        Ok(result)
    }

    fn existing_id(&self, name: &str) -> Result<Option<DatabaseId>, StorageError> {
        let admin = self.admin()?;
        let Some(bytes) = admin.get(&Key::database(name))? else { return Ok(None) };
        let record: DatabaseRecord = wire::decode("database record", &bytes, |r: &DatabaseRecord| r.format)
            .map_err(|error| admin.record(error))?;
        Ok(Some(DatabaseId(record.id)))
    }
}
