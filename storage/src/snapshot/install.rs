//! Switches to a received generation.

use coffer_proto::internal::v1::{CheckpointDatabase, CheckpointRecord};

use super::StagedGeneration;
use crate::{
    engine::{Databases, Engine},
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
    /// The disk fails, or a part of the snapshot is not what its label says: nothing was switched then.
    pub(crate) fn install(&self, meta: &SnapshotMeta, staged: &StagedGeneration) -> Result<(), StorageError> {
        let _structure = self.structure();
        let last = meta.last_log_id.ok_or_else(|| StorageError::Snapshot("it has no log id".to_owned()))?;
        let mut guard = staged
            .keys
            .lock()
            .map_err(|_| StorageError::Snapshot("its installation has failed".to_owned()))?;
        let keys =
            guard.as_ref().ok_or_else(|| StorageError::Snapshot("it was installed before".to_owned()))?;
        let listed: Vec<_> = keys.iter().map(coffer_keyring::StagedKey::database).collect();
        let old = self.keyring.generation().0;

        self.log.sync().map_err(|error| StorageError::io("sync the log", error))?;
        let mut record = CheckpointRecord {
            format: wire::FORMAT,
            through: Some(wire::log_id_to_pb(&last)),
            databases: Vec::new(),
            installed: true,
        };
        self.log.write_checkpoint(staged.generation.0, &record)?;
        let keys = guard.take().unwrap_or_default();
        self.keyring.switch_generation(staged.generation, keys, last.index)?;

        for instance in std::mem::take(&mut *self.databases_mut()).instances() {
            instance.close();
        }
        let mut databases = Databases::default();
        for id in listed {
            let instance = self.open_instance(id, false)?;
            record
                .databases
                .push(CheckpointDatabase { database_id: id.0, writes_end: instance.writes_end() });
            databases.insert(instance);
        }
        *self.databases_mut() = databases;
        self.load_catalog()?;
        self.log.write_checkpoint(staged.generation.0, &record)?;
        self.log.use_checkpoint(&record);
        self.set_checkpoint(last.index);
        self.log.save_membership(&meta.last_membership)?;
        self.log.forget_checkpoints_except(staged.generation.0)?;
        let disk = &**self.opener.disk();
        remove_tree(disk, &self.options.generation_dir(old))?;
        self.set_applied(Some(last), Some(meta.last_membership.clone()));
        Ok(())
    }
}
