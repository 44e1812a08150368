//! Whether an append is one that a leader can have sent.
//!
//! openraft trusts its callers: entries with a gap, or of a term that the leader cannot have, would end in a panic or in
//! a log that contradicts itself.

use coffer_storage::raft::{TypeConfig, Vote};
use openraft::raft::AppendEntriesRequest;

/// What is wrong with an append.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendFault {
    /// Only an elected leader appends.
    #[error("the vote of the request is not that of an elected leader")]
    NotElected,
    /// The leader is not the one who calls.
    #[error("member {from} sent an append of leader {leader}")]
    OtherLeader {
        /// Who called.
        from: u64,
        /// Whose vote the request has.
        leader: u64,
    },
    /// A stream belongs to one term of one leader.
    #[error("the vote changed within one stream")]
    VoteChanged,
    /// Entries do not follow each other.
    #[error("the entry at index {found} should be that at index {expected}")]
    Gap {
        /// The index that follows.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// Terms go back, or beyond the leader's.
    #[error(
        "the entry at index {index} has term {term}, which the leader of term {leader_term} cannot have there"
    )]
    Term {
        /// The entry's index.
        index: u64,
        /// Its term.
        term: u64,
        /// The leader's term.
        leader_term: u64,
    },
}

/// Checks the requests of one stream.
#[derive(Debug)]
pub struct AppendCheck {
    from: u64,
    vote: Option<Vote>,
}

impl AppendCheck {
    /// A check of a stream from member `from`.
    pub fn new(from: u64) -> Self {
        Self { from, vote: None }
    }

    /// Checks the next request of the stream.
    ///
    /// # Errors
    /// No leader can have sent it in this stream.
    pub fn check(&mut self, request: &AppendEntriesRequest<TypeConfig>) -> Result<(), AppendFault> {
        let vote = request.vote;
        if !vote.committed {
            return Err(AppendFault::NotElected);
        }
        let leader = vote.leader_id.voted_for;
        if leader != self.from {
            return Err(AppendFault::OtherLeader { from: self.from, leader });
        }
        if *self.vote.get_or_insert(vote) != vote {
            return Err(AppendFault::VoteChanged);
        }
        let leader_term = vote.leader_id.term;
        let (mut expected, mut least_term) =
            request.prev_log_id.map_or((0, 0), |prev| (prev.index.saturating_add(1), *prev.leader_id));
        for entry in &request.entries {
            let (index, term) = (entry.log_id.index, *entry.log_id.leader_id);
            if index != expected {
                return Err(AppendFault::Gap { expected, found: index });
            }
            if term < least_term || term > leader_term {
                return Err(AppendFault::Term { index, term, leader_term });
            }
            expected = expected.saturating_add(1);
            least_term = term;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use coffer_proto::internal::v1 as pb;
    use coffer_storage::raft::{
        Entry, LogId,
        wire::{log_id_from_pb, vote_from_pb},
    };
    use openraft::EntryPayload;

    use super::*;

    fn log_id((term, index): (u64, u64)) -> LogId {
        log_id_from_pb(&pb::RecordLogId { term, index })
    }

    fn request(
        vote: (u64, u64, bool),
        prev: Option<(u64, u64)>,
        entries: &[(u64, u64)],
    ) -> AppendEntriesRequest<TypeConfig> {
        let (term, member_id, committed) = vote;
        AppendEntriesRequest {
            vote: vote_from_pb(&pb::RecordVote { term, member_id, committed }),
            prev_log_id: prev.map(log_id),
            entries: entries
                .iter()
                .map(|id| Entry { log_id: log_id(*id), payload: EntryPayload::Blank })
                .collect(),
            leader_commit: None,
        }
    }

    #[test]
    fn what_a_leader_sends_passes() {
        let mut check = AppendCheck::new(1);
        for good in [
            request((3, 1, true), None, &[(1, 0), (1, 1), (3, 2)]),
            request((3, 1, true), Some((3, 2)), &[]),
            request((3, 1, true), Some((3, 2)), &[(3, 3)]),
        ] {
            assert_eq!(check.check(&good), Ok(()));
        }
    }

    #[test]
    fn what_no_leader_can_have_sent_is_refused() {
        let faults = [
            (request((3, 1, false), None, &[]), AppendFault::NotElected),
            (request((3, 2, true), None, &[]), AppendFault::OtherLeader { from: 1, leader: 2 }),
            (request((3, 1, true), Some((3, 2)), &[(3, 4)]), AppendFault::Gap { expected: 3, found: 4 }),
            (request((3, 1, true), None, &[(3, 1)]), AppendFault::Gap { expected: 0, found: 1 }),
            (
                request((3, 1, true), Some((3, 2)), &[(2, 3)]),
                AppendFault::Term { index: 3, term: 2, leader_term: 3 },
            ),
            (
                request((3, 1, true), Some((3, 2)), &[(4, 3)]),
                AppendFault::Term { index: 3, term: 4, leader_term: 3 },
            ),
        ];
        for (bad, fault) in faults {
            assert_eq!(AppendCheck::new(1).check(&bad), Err(fault));
        }
        let mut check = AppendCheck::new(1);
        check.check(&request((3, 1, true), None, &[])).unwrap();
        assert_eq!(check.check(&request((4, 1, true), None, &[])), Err(AppendFault::VoteChanged));
    }
}
