//! The log store: what openraft writes to.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use coffer_keyring::{KeyOwner, Keyring};
use coffer_proto::internal::v1::{
    CheckpointRecord, PeerRecord, RecordStoredMembership, StoredLogId, StoredVote,
};
use openraft::{
    LogState, OptionalSend, RaftLogReader,
    entry::RaftEntry,
    storage::{IOFlushed, RaftLogStorage},
};
use prost::Message;
use rocksdb::{DB, IteratorMode, WriteBatch, WriteOptions};
use tokio::sync::{oneshot, watch};

use super::{
    LogKey, PeerMemory,
    durability::Durability,
    layout::split_entry,
    sync_thread::{self, Waiter},
};
use crate::{
    StorageOptions,
    error::StorageError,
    instance::{OpenKind, Opener, RingKeys},
    raft::{Entry, LogId, StoredMembership, TypeConfig, Vote, wire},
};

/// How the log instance is called in messages.
const INSTANCE: &str = "raft";

/// The log of this member. Cheap to clone; all clones share it.
#[derive(Clone)]
pub struct LogStore {
    pub(super) inner: Arc<Inner>,
    queue: mpsc::Sender<Waiter>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What the store and its sync thread share.
pub struct Inner {
    db: DB,
    state: Mutex<State>,
    /// One more than the index of the last entry on stable storage.
    flushed_end: watch::Sender<u64>,
    failed: AtomicBool,
    failure: watch::Sender<Option<String>>,
    peers: PeerMemory,
    peers_written: Mutex<Instant>,
}

struct State {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    purged_total: u64,
    /// Index of the first entry in the log, or that the next one has.
    first: u64,
    last: Option<LogId>,
    /// Bytes of all entries ever written, up to and with the last.
    total: u64,
    /// One more than the index that the checkpoint record says is in database files.
    checkpoint_end: u64,
    membership: Option<StoredMembership>,
    durability: Durability,
}

impl LogStore {
    /// Opens the log in `raft/` of the data directory, or makes it.
    ///
    /// # Errors
    /// The files are damaged or sealed under other keys, or the disk fails.
    pub fn open(options: &StorageOptions, keyring: &Keyring) -> Result<Self, StorageError> {
        let opener = Opener::new(
            &StorageOptions { block_cache_bytes: 1 << 20, ..options.clone() },
            keyring.encryption_enabled(),
        );
        let keys = Arc::new(RingKeys::new(keyring.clone(), KeyOwner::Raft));
        let db = opener.open(OpenKind::Log, &options.raft_dir(), keys, true)?;
        let state = State::read(&db, keyring.generation().0)?;
        let peers = read_peers(&db)?;
        let flushed = end(state.last);
        let inner = Arc::new(Inner {
            db,
            state: Mutex::new(state),
            flushed_end: watch::Sender::new(flushed),
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
        Ok(Self { inner, queue, thread: Arc::new(Mutex::new(Some(thread))) })
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

    fn total_at(&self, index: u64) -> Result<Option<u64>, StorageError> {
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

    fn enqueue(&self, waiter: Waiter) -> io::Result<()> {
        self.queue.send(waiter).map_err(|_| io::Error::other("the log's sync thread has ended"))
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        // The last clone waits for the thread, which ends when the queue does: RocksDB is then closed on return.
        let Some(thread) = Arc::get_mut(&mut self.thread) else { return };
        let thread = thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let (closed, _) = mpsc::channel();
        drop(std::mem::replace(&mut self.queue, closed));
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes without a sync; readable on return.
    fn write(&self, batch: WriteBatch) -> Result<(), StorageError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(StorageError::io("write the log", self.failed_error()));
        }
        self.db.write_opt(batch, &WriteOptions::default()).map_err(|source| {
            let error = engine(source);
            self.fail(&error);
            error
        })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
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
        let flushed = {
            let mut state = self.state();
            state.durability.synced(mark);
            end(state.durability.flushed())
        };
        self.flushed_end.send_replace(flushed);
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

    fn failed_error(&self) -> io::Error {
        let reason = self.failure.borrow().clone().unwrap_or_else(|| "the log has failed".to_owned());
        io::Error::other(reason)
    }
}

impl State {
    fn read(db: &DB, generation: u64) -> Result<Self, StorageError> {
        let vote = read(db, LogKey::VOTE, "vote", |r: &StoredVote| r.format)?
            .and_then(|record| record.vote)
            .map(|vote| wire::vote_from_pb(&vote));
        let purged = read_log_id(db, LogKey::PURGED)?;
        let purged_total = db
            .get(LogKey::PURGED_TOTAL)
            .map_err(engine)?
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_be_bytes);
        let membership = read(db, LogKey::MEMBERSHIP, "membership", |r: &RecordStoredMembership| r.format)?
            .map(|record| wire::stored_membership_from_pb(&record))
            .transpose()
            .map_err(record)?;
        let checkpoint_end =
            read(db, &LogKey::checkpoint(generation), "checkpoint", |r: &CheckpointRecord| r.format)?
                .and_then(|record| record.through)
                .map_or(0, |id| id.index + 1);
        let first = read_first(db, end(purged))?.unwrap_or(end(purged));
        let (last, total) = read_last(db)?.map_or((purged, purged_total), |(id, total)| (Some(id), total));
        Ok(Self {
            vote,
            committed: read_log_id(db, LogKey::COMMITTED)?,
            purged,
            purged_total,
            first,
            last,
            total,
            checkpoint_end,
            membership,
            durability: Durability::new(last),
        })
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let state = self.inner.state();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let record = StoredVote { format: wire::FORMAT, vote: Some(wire::vote_to_pb(vote)) };
        {
            let mut state = self.inner.state();
            self.inner.put(LogKey::VOTE, &record.encode_to_vec())?;
            state.durability.wrote(None);
        }
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Waiter::Task(sender))?;
        receiver.await.map_err(io::Error::other)??;
        // Only now: what is told to peers must survive a crash.
        self.inner.state().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let Some(id) = committed else { return Ok(()) };
        let record = StoredLogId { format: wire::FORMAT, log_id: Some(wire::log_id_to_pb(&id)) };
        let mut state = self.inner.state();
        // Not synced: it goes with the next group. Losing it only makes the next start replay less by itself.
        self.inner.put(LogKey::COMMITTED, &record.encode_to_vec())?;
        state.committed = Some(id);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.inner.state().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        {
            let mut state = self.inner.state();
            let mut batch = WriteBatch::default();
            let (mut last, mut total) = (state.last, state.total);
            for entry in entries {
                if last == state.purged {
                    state.first = entry.log_id.index;
                }
                let bytes = wire::encode_entry(&entry);
                total += bytes.len() as u64;
                let mut value = Vec::with_capacity(8 + bytes.len());
                value.extend_from_slice(&total.to_be_bytes());
                value.extend_from_slice(&bytes);
                batch.put(LogKey::entry(entry.log_id.index), value);
                last = Some(entry.log_id());
            }
            self.inner.write(batch)?;
            (state.last, state.total) = (last, total);
            state.durability.wrote(last);
        }
        self.enqueue(Waiter::Append(callback))
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        if end(last_log_id) >= end(self.last_log_id()) {
            return Ok(());
        }
        let from = end(last_log_id);
        let total = match last_log_id {
            Some(id) if Some(id) != self.purged() => self.total_at(id.index)?,
            _ => None,
        };
        let mut state = self.inner.state();
        let mut batch = WriteBatch::default();
        batch.delete_range(LogKey::entry(from).as_slice(), LogKey::ENTRIES_END);
        self.inner.write(batch)?;
        state.last = last_log_id.or(state.purged);
        state.total = total.unwrap_or(state.purged_total);
        let last = state.last;
        state.durability.truncated(last);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let total = self.total_at(log_id.index)?;
        let mut state = self.inner.state();
        if log_id.index >= state.checkpoint_end {
            let reason = format!(
                "asked to purge the log through {}, but only what is before {} is in database files",
                log_id.index, state.checkpoint_end
            );
            return Err(io::Error::other(reason));
        }
        let mut batch = WriteBatch::default();
        batch.delete_range(LogKey::entry(0).as_slice(), LogKey::entry(log_id.index + 1).as_slice());
        let total = total.unwrap_or(state.total);
        put_purged(&mut batch, &log_id, total);
        self.inner.write(batch)?;
        state.purged = Some(log_id);
        state.purged_total = total;
        state.first = log_id.index + 1;
        if state.last.is_none_or(|last| last.index <= log_id.index) {
            state.last = Some(log_id);
            state.total = total;
            state.durability.jumped(log_id);
        }
        drop(state);
        // Whole files of purged entries go at once; the range deletion hides the rest until compaction.
        self.inner
            .db
            .delete_file_in_range(LogKey::entry(0), LogKey::entry(log_id.index))
            .map_err(|error| io::Error::other(engine(error).to_string()))
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: std::ops::RangeBounds<u64> + Clone + std::fmt::Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        let (start, end) = self.visible(&range);
        Ok(self.read_entries(start, end, u64::MAX)?)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.vote())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        let (start, end) = self.visible(&(start..end));
        Ok(self.read_entries(start, end, coffer_proto::wire::APPEND_TARGET_BYTES)?)
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl futures::Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: std::ops::RangeBounds<u64> + Clone + std::fmt::Debug + OptionalSend,
    {
        let (start, end) = self.visible(&range);
        super::reader::stream(self.clone(), start, end)
    }
}

impl LogStore {
    /// The part of `range` that the log can hold.
    fn visible(&self, range: &impl std::ops::RangeBounds<u64>) -> (u64, u64) {
        use std::ops::Bound;
        let state = self.inner.state();
        let (first, after) = (state.first, end(state.last));
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        (start.max(first), end.min(after))
    }
}

/// One more than the index; 0 for none.
fn end(id: Option<LogId>) -> u64 {
    id.map_or(0, |id| id.index + 1)
}

fn put_purged(batch: &mut WriteBatch, id: &LogId, total: u64) {
    let record = StoredLogId { format: wire::FORMAT, log_id: Some(wire::log_id_to_pb(id)) };
    batch.put(LogKey::PURGED, record.encode_to_vec());
    batch.put(LogKey::PURGED_TOTAL, total.to_be_bytes());
}

fn read<M: Message + Default>(
    db: &DB,
    key: &[u8],
    what: &'static str,
    format: impl Fn(&M) -> u32,
) -> Result<Option<M>, StorageError> {
    let Some(bytes) = db.get(key).map_err(engine)? else { return Ok(None) };
    wire::decode(what, &bytes, format).map(Some).map_err(record)
}

fn read_log_id(db: &DB, key: &[u8]) -> Result<Option<LogId>, StorageError> {
    let stored = read(db, key, "log id", |r: &StoredLogId| r.format)?;
    Ok(stored.and_then(|stored| stored.log_id).map(|id| wire::log_id_from_pb(&id)))
}

/// Not from 0: the range deletions of all purges would have to be passed.
fn read_first(db: &DB, from: u64) -> Result<Option<u64>, StorageError> {
    let mut iterator = db.raw_iterator();
    iterator.seek(LogKey::entry(from));
    let first = iterator.key().and_then(LogKey::index_of);
    iterator.status().map_err(engine)?;
    Ok(first)
}

fn read_last(db: &DB) -> Result<Option<(LogId, u64)>, StorageError> {
    let mut iterator = db.raw_iterator();
    iterator.seek_for_prev(LogKey::ENTRIES_END);
    let found = iterator.item().filter(|(key, _)| LogKey::index_of(key).is_some());
    let result = found.map(|(_, value)| super::reader::decode(value)).transpose()?;
    iterator.status().map_err(engine)?;
    Ok(result.map(|(total, entry)| (entry.log_id, total)))
}

fn read_peers(db: &DB) -> Result<Vec<PeerRecord>, StorageError> {
    let mut peers = Vec::new();
    for item in db.iterator(IteratorMode::From(LogKey::PEERS, rocksdb::Direction::Forward)) {
        let (key, value) = item.map_err(engine)?;
        if !key.starts_with(LogKey::PEERS) {
            break;
        }
        peers.push(wire::decode("peer record", &value, |r: &PeerRecord| r.format).map_err(record)?);
    }
    Ok(peers)
}

pub(super) fn engine(source: rocksdb::Error) -> StorageError {
    StorageError::Engine { instance: INSTANCE.to_owned(), source }
}

pub(super) fn record(source: wire::WireError) -> StorageError {
    StorageError::Record { instance: INSTANCE.to_owned(), source }
}
