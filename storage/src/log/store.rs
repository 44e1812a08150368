//! The log store: opening, sizes, checkpoints, and what others ask of the log.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Instant,
};

use coffer_keyring::{KeyOwner, Keyring};
use coffer_proto::internal::v1::CheckpointRecord;
use prost::Message;
use rocksdb::{IteratorMode, WriteBatch};
use tokio::sync::{oneshot, watch};

use super::{
    LogKey, PeerMemory,
    inner::Inner,
    layout::split_entry,
    state::{State, end, engine, put_purged, read, read_peers},
    sync_thread::{self, Waiter},
};
use crate::{
    StorageOptions,
    error::StorageError,
    instance::{OpenKind, Opener, RingKeys, opener::remove_tree},
    options::RAFT_DIR,
    raft::{Entry, LogId, StoredMembership, Vote, wire},
};

/// The log of this member. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct LogStore {
    pub(super) inner: Arc<Inner>,
    syncing: Arc<Syncing>,
}

/// The sync thread and the way to it. The last clone of a store ends it, and waits: RocksDB is closed on return.
struct Syncing {
    queue: Option<mpsc::Sender<Waiter>>,
    thread: Option<JoinHandle<()>>,
}

impl LogStore {
    /// Opens the log in its live directory, or makes it. Directories of other generations of it, which a crash in the
    /// middle of a change of form has left, are removed.
    ///
    /// # Errors
    /// The files are damaged or sealed under other keys, or the disk fails.
    pub fn open(options: &StorageOptions, keyring: &Keyring) -> Result<Self, StorageError> {
        let opener = Opener::new(
            &StorageOptions { block_cache_bytes: 1 << 20, ..options.clone() },
            keyring.encryption_enabled(),
        );
        let keys = Arc::new(RingKeys::new(keyring.clone(), KeyOwner::Raft));
        let dir = options.raft_dir(keyring.raft_generation());
        remove_other_logs(options, &dir)?;
        let db = opener.open(OpenKind::Log, &dir, keys, true)?;
        let state = State::read(&db, keyring.generation().0)?;
        let peers = read_peers(&db)?;
        let flushed = end(state.last);
        let inner = Arc::new(Inner {
            db,
            state: Mutex::new(state),
            flushed_end: watch::Sender::new(flushed),
            purge_wanted: AtomicU64::new(0),
            shredding_wanted: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            failure: watch::Sender::new(None),
            peers: PeerMemory::new(peers),
            peers_written: Mutex::new(Instant::now()),
        });
        let (queue, receiver) = mpsc::channel();
        let weak = Arc::downgrade(&inner);
        let thread = std::thread::Builder::new()
            .name("log-sync".to_owned())
            .spawn(move || sync_thread::run(&weak, &receiver))
            .map_err(|error| StorageError::io("start the log's sync thread", error))?;
        let syncing = Arc::new(Syncing { queue: Some(queue), thread: Some(thread) });
        let log = Self { inner, syncing };
        log.align(keyring.generation().0)?;
        Ok(log)
    }

    /// The vote on stable storage.
    pub fn vote(&self) -> Option<Vote> {
        self.inner.state().vote
    }

    /// The last entry, flushed or not; the purged log id where the log is empty.
    pub fn last_log_id(&self) -> Option<LogId> {
        self.inner.state().last
    }

    /// The last entry on stable storage.
    pub fn flushed(&self) -> Option<LogId> {
        self.inner.state().durability.flushed()
    }

    /// The last committed log id that was saved.
    pub fn committed(&self) -> Option<LogId> {
        self.inner.state().committed
    }

    /// The last log id that was purged.
    pub fn purged(&self) -> Option<LogId> {
        self.inner.state().purged
    }

    /// Bytes of the entries in the log.
    pub fn bytes(&self) -> u64 {
        let state = self.inner.state();
        state.total - state.purged_total
    }

    /// Bytes of the entries from `start` on.
    ///
    /// # Errors
    /// RocksDB's.
    pub fn bytes_from(&self, start: u64) -> Result<u64, StorageError> {
        let (total, first, purged_total) = {
            let state = self.inner.state();
            (state.total, end(state.purged), state.purged_total)
        };
        if start <= first {
            return Ok(total - purged_total);
        }
        let before = self.total_at(start - 1)?.unwrap_or(total);
        Ok(total.saturating_sub(before))
    }

    /// The last index to purge so that about `keep` bytes of entries stay and nothing from `limit` on goes; `None` where
    /// there is nothing to purge.
    ///
    /// # Errors
    /// RocksDB's.
    pub fn purge_target(&self, keep: u64, limit: u64) -> Result<Option<u64>, StorageError> {
        let (total, first) = {
            let state = self.inner.state();
            (state.total, end(state.purged))
        };
        let threshold = total.saturating_sub(keep);
        // The number of entries at the beginning whose running total is at most the threshold.
        let (mut low, mut high) = (first, limit);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.total_at(middle)? {
                Some(at) if at <= threshold => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok((low > first).then(|| low - 1))
    }

    pub(super) fn total_at(&self, index: u64) -> Result<Option<u64>, StorageError> {
        let value = self.inner.db.get_pinned(LogKey::entry(index)).map_err(engine)?;
        Ok(value.as_deref().and_then(split_entry).map(|(total, _)| total))
    }

    /// The last membership that this member applied, known before any database is open.
    pub fn known_membership(&self) -> Option<StoredMembership> {
        self.inner.state().membership.clone()
    }

    /// Keeps the membership that was applied.
    ///
    /// # Errors
    /// The disk fails.
    pub fn save_membership(&self, membership: &StoredMembership) -> Result<(), StorageError> {
        let record = wire::stored_membership_to_pb(membership).encode_to_vec();
        let mut state = self.inner.state();
        self.inner.put(LogKey::MEMBERSHIP, &record)?;
        state.membership = Some(membership.clone());
        Ok(())
    }

    /// What is remembered of peers.
    pub fn peer_memory(&self) -> &PeerMemory {
        &self.inner.peers
    }

    /// Turns to `Some(reason)` after an I/O error: the process has to end then.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.inner.failure.subscribe()
    }

    /// Declares the member unable to go on, as after an I/O error: what applies entries calls it.
    pub fn fail(&self, reason: &str) {
        self.inner.fail(&StorageError::io(reason.to_owned(), io::ErrorKind::Other.into()));
    }

    /// Waits until the entry `index` is on stable storage here.
    ///
    /// # Errors
    /// The log has failed.
    pub async fn wait_flushed(&self, index: u64) -> io::Result<()> {
        let inner = &self.inner;
        let mut flushed = inner.flushed_end.subscribe();
        let reached = flushed
            .wait_for(|flushed| *flushed > index || inner.failed.load(Ordering::Acquire))
            .await
            .map_err(io::Error::other)?;
        if *reached > index { Ok(()) } else { Err(inner.failed_error()) }
    }

    /// Puts everything that was written so far, truncations included, on stable storage. Blocks.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync(&self) -> io::Result<()> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.enqueue(Waiter::Thread(sender))?;
        receiver.recv().map_err(io::Error::other)?
    }

    /// The checkpoint record of a generation.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn checkpoint(&self, generation: u64) -> Result<Option<CheckpointRecord>, StorageError> {
        read(&self.inner.db, &LogKey::checkpoint(generation), "checkpoint", |r: &CheckpointRecord| r.format)
    }

    /// Writes the checkpoint record of a generation, on stable storage when this returns. Blocks.
    ///
    /// # Errors
    /// The disk fails.
    pub fn write_checkpoint(&self, generation: u64, record: &CheckpointRecord) -> Result<(), StorageError> {
        self.inner.put(&LogKey::checkpoint(generation), &record.encode_to_vec())?;
        self.sync().map_err(|error| StorageError::io("sync the checkpoint record", error))
    }

    /// Makes `record` the one that the log may be purged up to.
    pub fn use_checkpoint(&self, record: &CheckpointRecord) {
        let mut state = self.inner.state();
        state.checkpoint_end = record.through.as_ref().map_or(0, |id| id.index + 1);
    }

    /// One more than the index that the log may be purged up to.
    pub fn checkpoint_end(&self) -> u64 {
        self.inner.state().checkpoint_end
    }

    /// Entries before this index have to go, because the log has grown far beyond its bound or because they name a
    /// database that was dropped a while ago: a peer that is still sent them is so slow that it keeps the log from being
    /// purged, and gets a snapshot instead. 0 for none.
    pub fn purge_wanted(&self) -> u64 {
        let inner = &self.inner;
        inner.purge_wanted.load(Ordering::Relaxed).max(inner.shredding_wanted.load(Ordering::Relaxed))
    }

    /// Says which entries have to go.
    pub(crate) fn want_purge(&self, before: u64) {
        self.inner.purge_wanted.store(before, Ordering::Relaxed);
    }

    /// Says which entries have to go because of dropped databases.
    pub(crate) fn want_shredding(&self, before: u64) {
        self.inner.shredding_wanted.store(before, Ordering::Relaxed);
    }

    /// Walks over every record of the log's instance.
    pub(crate) fn iterate(&self) -> rocksdb::DBRawIterator<'_> {
        self.inner.db.raw_iterator()
    }

    /// Removes the records of all generations but `live`.
    ///
    /// # Errors
    /// The disk fails.
    pub fn forget_checkpoints_except(&self, live: u64) -> Result<(), StorageError> {
        let keep = LogKey::checkpoint(live);
        let mut batch = WriteBatch::default();
        let from = IteratorMode::From(LogKey::CHECKPOINTS, rocksdb::Direction::Forward);
        for item in self.inner.db.iterator(from) {
            let (key, _) = item.map_err(engine)?;
            if !key.starts_with(LogKey::CHECKPOINTS) {
                break;
            }
            if *key != keep {
                batch.delete(&key);
            }
        }
        self.inner.write(batch)
    }

    /// Drops all entries: a snapshot that ends at `last` has taken their place. Blocks until it is on stable storage.
    ///
    /// # Errors
    /// The disk fails.
    pub fn reset(&self, last: LogId) -> Result<(), StorageError> {
        {
            let mut state = self.inner.state();
            let mut batch = WriteBatch::default();
            batch.delete_range(LogKey::entry(0).as_slice(), LogKey::ENTRIES_END);
            put_purged(&mut batch, &last, state.total);
            self.inner.write(batch)?;
            state.purged = Some(last);
            state.purged_total = state.total;
            state.first = last.index + 1;
            state.last = Some(last);
            state.durability.jumped(last);
            self.inner.show_flushed(&state);
        }
        self.sync().map_err(|error| StorageError::io("sync the log", error))
    }

    /// Reads the entries `start..end`, up to about `budget` bytes but at least one.
    ///
    /// # Errors
    /// An entry is missing or unreadable.
    pub fn read_entries(&self, start: u64, end: u64, budget: u64) -> Result<Vec<Entry>, StorageError> {
        super::reader::read_entries(&self.inner.db, start, end, budget)
    }

    /// Syncs and closes the log.
    ///
    /// # Errors
    /// The last sync fails.
    pub fn close(&self) -> Result<(), StorageError> {
        let result = self.sync().map_err(|error| StorageError::io("sync the log", error));
        self.inner.db.cancel_all_background_work(true);
        result
    }

    /// Brings the log into line with a snapshot that was switched to just before the process ended: here, so that
    /// everybody who asks where the log ends is told the truth.
    fn align(&self, generation: u64) -> Result<(), StorageError> {
        let Some(record) = self.checkpoint(generation)? else { return Ok(()) };
        let through = record.through.as_ref().map(wire::log_id_from_pb);
        match through {
            Some(through) if record.installed && end(self.last_log_id()) <= through.index => {
                self.reset(through)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn enqueue(&self, waiter: Waiter) -> io::Result<()> {
        let ended = || io::Error::other("the log's sync thread has ended");
        self.syncing.queue.as_ref().ok_or_else(ended)?.send(waiter).map_err(|_| ended())
    }

    pub(super) async fn synced(&self) -> io::Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Waiter::Task(sender))?;
        receiver.await.map_err(io::Error::other)?
    }
}

/// Removes directories of logs that are not live.
fn remove_other_logs(options: &StorageOptions, live: &Path) -> Result<(), StorageError> {
    let disk = &*options.disk;
    let names = match disk.list(&options.data_dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(StorageError::io(format!("list {}", options.data_dir.display()), error));
        }
    };
    for name in names {
        let text = name.to_string_lossy();
        let is_log = text
            .strip_prefix(RAFT_DIR)
            .is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(is_number));
        let dir = options.data_dir.join(&name);
        if is_log && dir != live {
            remove_tree(disk, &dir)?;
        }
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Drop for Syncing {
    fn drop(&mut self) {
        // The thread ends when its queue does.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
