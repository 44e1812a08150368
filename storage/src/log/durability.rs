//! Which part of the log is on stable storage.
//!
//! Writers note what they wrote; the sync thread takes a mark before it syncs and completes up to the mark afterwards.

use std::collections::VecDeque;

use crate::raft::LogId;

/// Written but perhaps not synced yet.
struct Written {
    sequence: u64,
    last: LogId,
}

/// The state behind the log's mutex.
#[derive(Default)]
pub struct Durability {
    sequence: u64,
    pending: VecDeque<Written>,
    flushed: Option<LogId>,
}

impl Durability {
    /// Starts with a log that ends at `last`, all of it synced.
    pub fn new(last: Option<LogId>) -> Self {
        Self { sequence: 0, pending: VecDeque::new(), flushed: last }
    }

    /// Notes a write whose last entry is `last`; `None` for a write of something else. Answers its sequence number.
    pub fn wrote(&mut self, last: Option<LogId>) -> u64 {
        self.sequence += 1;
        if let Some(last) = last {
            self.pending.push_back(Written { sequence: self.sequence, last });
        }
        self.sequence
    }

    /// The sequence number of the last write.
    pub fn mark(&self) -> u64 {
        self.sequence
    }

    /// Notes that the log was cut so that it ends at `last`: nothing after it counts as flushed any more.
    pub fn truncated(&mut self, last: Option<LogId>) -> u64 {
        let end = last.map_or(0, |id| id.index + 1);
        if self.flushed.is_some_and(|flushed| flushed.index >= end) {
            self.flushed = last;
        }
        self.pending.retain(|written| written.last.index < end);
        self.wrote(None)
    }

    /// Notes that the log was replaced by a snapshot that ends at `last`.
    pub fn jumped(&mut self, last: LogId) -> u64 {
        self.pending.clear();
        self.flushed = Some(last);
        self.wrote(None)
    }

    /// Notes that everything up to `mark` is synced.
    pub fn synced(&mut self, mark: u64) {
        while let Some(written) = self.pending.front() {
            if written.sequence > mark {
                break;
            }
            self.flushed = Some(written.last);
            self.pending.pop_front();
        }
    }

    /// The last entry on stable storage.
    pub fn flushed(&self) -> Option<LogId> {
        self.flushed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::wire::log_id_from_pb;
    use coffer_proto::internal::v1::RecordLogId;

    fn id(term: u64, index: u64) -> LogId {
        log_id_from_pb(&RecordLogId { term, index })
    }

    #[test]
    fn flushed_follows_the_sync_and_not_the_write() {
        let mut log = Durability::new(None);
        log.wrote(Some(id(1, 5)));
        let mark = log.mark();
        log.wrote(Some(id(1, 9)));
        assert_eq!(log.flushed(), None);
        log.synced(mark);
        assert_eq!(log.flushed(), Some(id(1, 5)));
        log.synced(log.mark());
        assert_eq!(log.flushed(), Some(id(1, 9)));
    }

    #[test]
    fn a_truncation_takes_back_what_was_flushed_and_what_is_under_way() {
        let mut log = Durability::new(Some(id(1, 10)));
        log.wrote(Some(id(1, 12)));
        let mark = log.mark();
        log.truncated(Some(id(1, 7)));
        log.wrote(Some(id(2, 8)));
        log.synced(mark);
        assert_eq!(log.flushed(), Some(id(1, 7)), "index 12 of term 1 is gone");
        log.synced(log.mark());
        assert_eq!(log.flushed(), Some(id(2, 8)));
    }

    #[test]
    fn a_snapshot_counts_as_flushed() {
        let mut log = Durability::new(Some(id(1, 10)));
        log.wrote(Some(id(1, 12)));
        log.jumped(id(3, 50));
        log.synced(log.mark());
        assert_eq!(log.flushed(), Some(id(3, 50)));
    }
}
