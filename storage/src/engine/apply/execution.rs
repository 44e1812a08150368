//! The run of one command within one database.

use std::sync::Arc;

use coffer_proto::internal::v1::CollectionRecord;
use prost::Message;
use rocksdb::WriteBatch;

use crate::{
    error::StorageError,
    instance::{CollectionId, DatabaseInstance, Key},
    raft::{LogId, wire},
};

/// Collects the effect of a command. Nothing is written before `finish`.
pub struct Execution {
    pub(super) instance: Arc<DatabaseInstance>,
    pub(super) batch: WriteBatch,
}

impl Execution {
    /// Begins a command.
    pub fn new(instance: &Arc<DatabaseInstance>) -> Self {
        Self { instance: instance.clone(), batch: WriteBatch::default() }
    }

    /// Writes the effect, and that the entry is applied.
    pub fn finish(self, log_id: &LogId) -> Result<(), StorageError> {
        self.instance.write(self.batch, log_id)
    }

    /// The record of a collection, if it exists.
    pub fn existing(&self, name: &str) -> Result<Option<CollectionRecord>, StorageError> {
        self.instance.collection(name)
    }

    /// The record of a collection, new where it does not exist. A new one is written by `save`.
    pub fn existing_or_new(&mut self, name: &str) -> Result<CollectionRecord, StorageError> {
        if let Some(record) = self.existing(name)? {
            return Ok(record);
        }
        let next = self
            .instance
            .get(Key::NEXT_COLLECTION)?
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(1, u32::from_be_bytes);
        // Four billion collections in the life of one database are out of reach; a wrap would mix documents.
        let after = next.checked_add(1).ok_or_else(|| {
            StorageError::io("create a collection", std::io::Error::other("the database has used up its ids"))
        })?;
        self.batch.put(Key::NEXT_COLLECTION, after.to_be_bytes());
        Ok(CollectionRecord { format: wire::FORMAT, id: next, name: name.to_owned(), documents: 0 })
    }

    /// Writes a collection's record.
    pub fn save(&mut self, record: &CollectionRecord) {
        self.batch.put(Key::collection(&record.name), record.encode_to_vec());
    }

    /// A document's key.
    pub fn key(record: &CollectionRecord, id: &[u8]) -> Vec<u8> {
        Key::document(CollectionId(record.id), id)
    }
}
