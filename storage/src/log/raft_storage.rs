//! The log as openraft sees it.

use std::io;

use coffer_proto::internal::v1::{StoredLogId, StoredVote};
use openraft::{
    LogState, OptionalSend, RaftLogReader,
    entry::RaftEntry,
    storage::{IOFlushed, RaftLogStorage},
};
use prost::Message;
use rocksdb::WriteBatch;

use super::{
    LogKey, LogStore,
    state::{end, engine, put_purged},
    sync_thread::Waiter,
};
use crate::raft::{Entry, LogId, TypeConfig, Vote, wire};

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
        self.synced().await?;
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
        self.inner.show_flushed(&state);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.record_purge(log_id)?;
        // RocksDB makes the removal of files durable at once: the record of the purge must be before that.
        self.synced().await?;
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
    fn record_purge(&self, log_id: LogId) -> Result<(), io::Error> {
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
            self.inner.show_flushed(&state);
        }
        Ok(())
    }

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
