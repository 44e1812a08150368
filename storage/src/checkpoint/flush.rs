//! One checkpoint.

use coffer_proto::internal::v1::{CheckpointDatabase, CheckpointRecord};

use crate::{engine::Engine, error::StorageError, raft::wire};

impl Engine {
    /// Flushes every database that has unflushed writes and records that all is in files through the id that was applied
    /// when it began. Answers whether there was anything to record. Blocks.
    ///
    /// # Errors
    /// The disk fails: the member has to stop.
    pub(crate) fn checkpoint(&self) -> Result<bool, StorageError> {
        let _structure = self.structure();
        // Read first: what is flushed below holds at least this.
        let Some(through) = self.applied() else { return Ok(false) };
        if through.index < self.checkpoint_index() {
            return Ok(false);
        }
        let mut record = CheckpointRecord {
            format: wire::FORMAT,
            through: Some(wire::log_id_to_pb(&through)),
            databases: Vec::new(),
            installed: false,
        };
        let mut instances = self.databases().instances();
        // The largest first: memory is what runs out first.
        instances.sort_by_key(|instance| {
            std::cmp::Reverse(if instance.is_dirty() { instance.memory() } else { 0 })
        });
        for instance in instances {
            match instance.flush() {
                Ok(writes_end) => {
                    record.databases.push(CheckpointDatabase { database_id: instance.id().0, writes_end })
                }
                Err(_) if instance.is_closed() => {}
                Err(error) => return Err(error),
            }
        }
        record.databases.sort_by_key(|database| database.database_id);
        self.log.write_checkpoint(self.keyring.generation().0, &record)?;
        self.log.use_checkpoint(&record);
        self.set_checkpoint(through.index);
        Ok(true)
    }

    /// Flushes the largest database, to give memory back between checkpoints. Blocks.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) fn flush_largest(&self) -> Result<(), StorageError> {
        let _structure = self.structure();
        let instances = self.databases().instances();
        let largest = instances.iter().filter(|instance| instance.is_dirty()).max_by_key(|i| i.memory());
        match largest.map(|instance| instance.flush()) {
            Some(Err(error)) if !largest.is_some_and(|instance| instance.is_closed()) => Err(error),
            _ => Ok(()),
        }
    }
}
