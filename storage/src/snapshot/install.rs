//! Switches to a received generation.

use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::CheckpointRecord;

use super::StagedGeneration;
use crate::{
    engine::{ADMIN, Databases, Engine, read_catalog},
    error::StorageError,
    instance::opener::remove_tree,
    raft::{SnapshotMeta, wire},
};

impl Engine {
    /// Makes a staged generation the live one. Blocks.
    ///
    /// The steps, each on stable storage before the next: the log, truncations included; the new generation's checkpoint
    /// record; the keystore, whose replacement is the switch. A crash before the switch leaves the old generation and a
    /// directory that the next start removes; after it, the new one, and a log that the next start brings into line.
    ///
    /// # Errors
    /// The disk fails, or it was installed before.
    pub(crate) fn install(&self, meta: &SnapshotMeta, staged: &StagedGeneration) -> Result<(), StorageError> {
        let _structure = self.structure();
        let last = meta.last_log_id.ok_or_else(|| StorageError::Snapshot("it has no log id".to_owned()))?;
        let mut guard = staged
            .keys
            .lock()
            .map_err(|_| StorageError::Snapshot("its installation has failed".to_owned()))?;
        let keys =
            guard.as_ref().ok_or_else(|| StorageError::Snapshot("it was installed before".to_owned()))?;
        keys.first().ok_or_else(|| StorageError::Snapshot("it has no databases".to_owned()))?;
        let old = self.keyring.generation().0;

        self.log.sync().map_err(|error| StorageError::io("sync the log", error))?;
        let record = CheckpointRecord {
            format: wire::FORMAT,
            through: Some(wire::log_id_to_pb(&last)),
            databases: staged.databases.clone(),
            installed: true,
        };
        self.log.write_checkpoint(staged.generation.0, &record)?;
        let keys = guard.take().unwrap_or_default();
        self.keyring.switch_generation(staged.generation, keys, last.index)?;

        // Made whole before it is shown: a reader sees the old databases or the new ones, never none.
        let mut databases = Databases::default();
        for database in &staged.databases {
            databases.insert(self.open_instance(DatabaseId(database.database_id), false)?);
        }
        databases.enter_all(read_catalog(&*databases.get(ADMIN)?)?);
        let replaced = std::mem::replace(&mut *self.databases_mut(), databases);
        for instance in replaced.instances() {
            instance.close();
        }
        // RocksDB looks at its files once more when it closes: they must still be there. A rewrite ends with the close.
        drop(self.rewrite_turn());
        drop(replaced);
        self.log.use_checkpoint(&record);
        self.set_checkpoint(last.index);
        self.log.save_membership(&meta.last_membership)?;
        self.log.forget_checkpoints_except(staged.generation.0)?;
        let disk = &**self.opener.disk();
        remove_tree(disk, &self.options.generation_dir(old))?;
        self.set_applied(Some(last), Some(meta.last_membership.clone()));
        self.note_system_change();
        Ok(())
    }
}
