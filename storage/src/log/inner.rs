//! What the clones of a log store and its sync thread share: the instance, and the first failure.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rocksdb::{DB, WriteBatch, WriteOptions};
use tokio::sync::watch;

use super::{
    LogKey, PeerMemory,
    state::{State, end, engine},
};
use crate::error::StorageError;

/// What the store and its sync thread share.
pub struct Inner {
    pub(super) db: DB,
    pub(super) state: Mutex<State>,
    /// One more than the index of the last entry on stable storage.
    pub(super) flushed_end: watch::Sender<u64>,
    /// Entries before this index have to go soon, whoever still reads them; 0 for none.
    pub(super) purge_wanted: AtomicU64,
    /// The same, because they name a database that was dropped.
    pub(super) shredding_wanted: AtomicU64,
    pub(super) failed: AtomicBool,
    pub(super) failure: watch::Sender<Option<String>>,
    pub(super) peers: PeerMemory,
    pub(super) peers_written: Mutex<Instant>,
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes without a sync; readable on return.
    pub(super) fn write(&self, batch: WriteBatch) -> Result<(), StorageError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StorageError::io("write the log", self.failed_error()));
        }
        self.db.write_opt(batch, &WriteOptions::default()).map_err(|source| {
            let error = engine(source);
            self.fail(&error);
            error
        })
    }

    pub(super) fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        batch.put(key, value);
        self.write(batch)
    }

    pub(super) fn mark(&self) -> u64 {
        self.state().durability.mark()
    }

    pub(super) fn sync_wal(&self) -> Result<(), StorageError> {
        self.db.flush_wal(true).map_err(engine)
    }

    pub(super) fn synced(&self, mark: u64) {
        let mut state = self.state();
        state.durability.synced(mark);
        self.show_flushed(&state);
    }

    /// Shows what is flushed. Under the lock, so that a truncation cannot be overtaken by an older value.
    pub(super) fn show_flushed(&self, state: &State) {
        self.flushed_end.send_replace(end(state.durability.flushed()));
    }

    /// Writes what is remembered of peers, if that was longer ago than `interval`. Not synced.
    pub(super) fn write_peers(&self, interval: Duration) -> Result<(), StorageError> {
        let mut written = self.peers_written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.elapsed() < interval {
            return Ok(());
        }
        *written = Instant::now();
        let changed = self.peers.take_changed();
        if changed.is_empty() {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        for (member, record) in changed {
            batch.put(LogKey::peer(member), record);
        }
        self.write(batch)?;
        self.db.flush_wal(false).map_err(engine)
    }

    /// Records the first failure; nothing is written after it.
    pub(super) fn fail(&self, error: &StorageError) -> String {
        let reason = error.to_string();
        self.failed.store(true, Ordering::Release);
        self.failure.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(reason.clone());
            }
            first
        });
        // Wakes those who wait for a flush that will not come.
        self.flushed_end.send_modify(|_| {});
        reason
    }

    pub(super) fn failed_error(&self) -> io::Error {
        let reason = self.failure.borrow().clone().unwrap_or_else(|| "the log has failed".to_owned());
        io::Error::other(reason)
    }
}
