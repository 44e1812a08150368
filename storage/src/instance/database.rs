//! One database of this member.
//!
//! Invariants: a write batch always carries the applied record, so what is on disk is exactly the effect of all entries
//! up to it; the applied record only grows; nothing is written after `close`.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::{AppliedRecord, CollectionRecord};
use prost::Message;
use rocksdb::{DB, FlushOptions, WriteBatch, WriteOptions};

use super::{Key, Pinned, opener::instance_name};
use crate::{
    error::StorageError,
    raft::{LogId, wire},
};

/// An open database.
pub struct DatabaseInstance {
    id: DatabaseId,
    name: String,
    db: Arc<DB>,
    closed: AtomicBool,
    /// One more than the index of the last entry that wrote here; 0 if none did.
    writes_end: AtomicU64,
    /// The same, as far as known to be in files.
    flushed_end: AtomicU64,
}

impl DatabaseInstance {
    /// Takes an open RocksDB and reads how far it is.
    ///
    /// # Errors
    /// The applied record is unreadable.
    pub fn new(id: DatabaseId, dir: &Path, db: DB) -> Result<Self, StorageError> {
        let instance = Self {
            id,
            name: instance_name(dir),
            db: Arc::new(db),
            closed: AtomicBool::new(false),
            writes_end: AtomicU64::new(0),
            flushed_end: AtomicU64::new(0),
        };
        let applied = instance.applied()?.map_or(0, |id| id.index + 1);
        instance.writes_end.store(applied, Ordering::Release);
        // What an open finds is in files: there is no WAL to bring back anything else.
        instance.flushed_end.store(applied, Ordering::Release);
        Ok(instance)
    }

    /// Its id.
    pub fn id(&self) -> DatabaseId {
        self.id
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One more than the index of the last entry that wrote to it; 0 if none did.
    pub fn writes_end(&self) -> u64 {
        self.writes_end.load(Ordering::Acquire)
    }

    /// Whether the effect of the entry `index` is in it already.
    pub fn has(&self, index: u64) -> bool {
        index < self.writes_end()
    }

    /// Whether it holds writes that are not in files yet.
    pub fn is_dirty(&self) -> bool {
        self.flushed_end.load(Ordering::Acquire) < self.writes_end()
    }

    /// Bytes in its memtables.
    pub fn memory(&self) -> u64 {
        self.db.property_int_value(rocksdb::properties::CUR_SIZE_ALL_MEM_TABLES).ok().flatten().unwrap_or(0)
    }

    /// Bytes of its live files.
    pub fn size_on_disk(&self) -> u64 {
        self.db.property_int_value(rocksdb::properties::LIVE_SST_FILES_SIZE).ok().flatten().unwrap_or(0)
    }

    /// Log id of the last entry that changed it, from the instance itself.
    ///
    /// # Errors
    /// The record is unreadable.
    pub fn applied(&self) -> Result<Option<LogId>, StorageError> {
        let Some(bytes) = self.get(Key::APPLIED)? else { return Ok(None) };
        self.decode_applied(&bytes)
    }

    /// Decodes an applied record of this instance.
    ///
    /// # Errors
    /// The record is unreadable.
    pub fn decode_applied(&self, bytes: &[u8]) -> Result<Option<LogId>, StorageError> {
        let record: AppliedRecord = wire::decode("applied record", bytes, |r: &AppliedRecord| r.format)
            .map_err(|e| self.record(e))?;
        Ok(record.log_id.as_ref().map(wire::log_id_from_pb))
    }

    /// Reads a key of the present state.
    ///
    /// # Errors
    /// RocksDB's, or the instance is closed.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.check_open()?;
        self.db.get(key).map_err(|e| self.engine(e))
    }

    /// Reads a collection's record.
    ///
    /// # Errors
    /// The record is unreadable.
    pub fn collection(&self, name: &str) -> Result<Option<CollectionRecord>, StorageError> {
        let Some(bytes) = self.get(&Key::collection(name))? else { return Ok(None) };
        self.decode_collection(&bytes).map(Some)
    }

    /// Decodes a collection record of this instance.
    ///
    /// # Errors
    /// The record is unreadable.
    pub fn decode_collection(&self, bytes: &[u8]) -> Result<CollectionRecord, StorageError> {
        wire::decode("collection record", bytes, |r: &CollectionRecord| r.format).map_err(|e| self.record(e))
    }

    /// A view that later writes do not change.
    ///
    /// # Errors
    /// The instance is closed.
    pub fn pin(&self) -> Result<Pinned, StorageError> {
        self.check_open()?;
        Ok(Pinned::new(self.db.clone()))
    }

    /// Writes the effects of the entry `log_id`, with its applied record, as one batch and without a WAL.
    ///
    /// # Errors
    /// RocksDB's: the member must stop then, because it no longer does what the others do.
    pub fn write(&self, mut batch: WriteBatch, log_id: &LogId) -> Result<(), StorageError> {
        self.check_open()?;
        let record = AppliedRecord { format: wire::FORMAT, log_id: Some(wire::log_id_to_pb(log_id)) };
        batch.put(Key::APPLIED, record.encode_to_vec());
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db.write_opt(batch, &options).map_err(|e| self.engine(e))?;
        self.writes_end.store(log_id.index + 1, Ordering::Release);
        Ok(())
    }

    /// Puts all writes into files and on stable storage. Answers how far they reach, as `writes_end`.
    ///
    /// # Errors
    /// RocksDB's.
    pub fn flush(&self) -> Result<u64, StorageError> {
        self.check_open()?;
        let through = self.writes_end();
        if self.flushed_end.load(Ordering::Acquire) < through {
            let mut options = FlushOptions::default();
            options.set_wait(true);
            self.db.flush_opt(&options).map_err(|e| self.engine(e))?;
            self.flushed_end.fetch_max(through, Ordering::AcqRel);
        }
        Ok(through)
    }

    /// Refuses every further call, and ends flushes and compactions. RocksDB closes when the last view of it is dropped, without a flush.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.db.cancel_all_background_work(true);
    }

    /// Whether `close` was called.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// RocksDB itself, for ingestion.
    pub fn db(&self) -> &DB {
        &self.db
    }

    /// An error of RocksDB in this instance.
    pub fn engine(&self, source: rocksdb::Error) -> StorageError {
        StorageError::Engine { instance: self.name.clone(), source }
    }

    /// An unreadable record in this instance.
    pub fn record(&self, source: wire::WireError) -> StorageError {
        StorageError::Record { instance: self.name.clone(), source }
    }

    fn check_open(&self) -> Result<(), StorageError> {
        if self.is_closed() {
            return Err(StorageError::DatabaseNotFound(self.id));
        }
        Ok(())
    }
}
