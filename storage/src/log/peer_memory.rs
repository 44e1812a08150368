//! What this member remembers of its peers, so that it can tell one of them that it went back in time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use coffer_proto::internal::v1::{PeerRecord, PeerStamp};
use prost::Message;

use super::went_back::{log_order, vote_order};
use crate::raft::wire;

/// Members that are remembered at most; ids grow and a replica set has few members, so this is never near.
const MAX_PEERS: usize = 4096;

/// The highest that was heard of each peer. Cheap to clone; all clones share it.
#[derive(Clone, Default)]
pub struct PeerMemory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    stamps: BTreeMap<u64, PeerStamp>,
    changed: BTreeSet<u64>,
}

impl PeerMemory {
    /// Starts from the records on disk.
    pub fn new(records: impl IntoIterator<Item = PeerRecord>) -> Self {
        let stamps = records
            .into_iter()
            .map(|record| {
                let stamp =
                    PeerStamp { incarnation: record.incarnation, vote: record.vote, flushed: record.flushed };
                (record.member_id, stamp)
            })
            .collect();
        Self(Arc::new(Mutex::new(State { stamps, changed: BTreeSet::new() })))
    }

    /// Takes in what `member` said of itself. Written to disk in the background.
    pub fn note(&self, member: u64, stamp: &PeerStamp) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.stamps.contains_key(&member) && state.stamps.len() >= MAX_PEERS {
            return;
        }
        let known = state.stamps.entry(member).or_default();
        if merge(known, stamp) {
            state.changed.insert(member);
        }
    }

    /// The highest that was heard of `member`.
    pub fn recall(&self, member: u64) -> Option<PeerStamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stamps.get(&member).cloned()
    }

    /// Takes what changed since the last call, as records to be written.
    pub(super) fn take_changed(&self) -> Vec<(u64, Vec<u8>)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = std::mem::take(&mut state.changed);
        changed
            .into_iter()
            .filter_map(|member| {
                let stamp = state.stamps.get(&member)?;
                let record = PeerRecord {
                    format: wire::FORMAT,
                    member_id: member,
                    incarnation: stamp.incarnation,
                    vote: stamp.vote,
                    flushed: stamp.flushed,
                };
                Some((member, record.encode_to_vec()))
            })
            .collect()
    }
}

/// Raises `known` to `heard` where that is higher. A log id belongs to the vote it was declared under: a higher vote
/// brings its own, or none.
fn merge(known: &mut PeerStamp, heard: &PeerStamp) -> bool {
    let mut changed = false;
    if heard.incarnation > known.incarnation {
        known.incarnation = heard.incarnation;
        changed = true;
    }
    let (known_vote, heard_vote) = (vote_order(known.vote.as_ref()), vote_order(heard.vote.as_ref()));
    if heard_vote > known_vote {
        known.vote = heard.vote;
        known.flushed = heard.flushed;
        changed = true;
    } else if heard_vote == known_vote
        && log_order(heard.flushed.as_ref()) > log_order(known.flushed.as_ref())
    {
        known.flushed = heard.flushed;
        changed = true;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use coffer_proto::internal::v1::{RecordLogId, RecordVote};

    fn stamp(incarnation: u64, term: u64, index: u64) -> PeerStamp {
        PeerStamp {
            incarnation,
            vote: Some(RecordVote { term, member_id: 1, committed: true }),
            flushed: Some(RecordLogId { term, index }),
        }
    }

    #[test]
    fn only_the_highest_is_kept_and_changes_are_written_once() {
        let memory = PeerMemory::default();
        assert_eq!(memory.recall(2), None);
        memory.note(2, &stamp(1, 5, 10));
        memory.note(2, &stamp(1, 5, 9));
        memory.note(2, &stamp(1, 4, 99));
        assert_eq!(memory.recall(2), Some(stamp(1, 5, 10)));
        assert_eq!(memory.take_changed().len(), 1);
        assert!(memory.take_changed().is_empty());
    }

    #[test]
    fn a_higher_vote_without_a_log_id_forgets_the_old_one() {
        let memory = PeerMemory::default();
        memory.note(2, &stamp(1, 5, 10));
        let newer = PeerStamp { flushed: None, ..stamp(1, 6, 0) };
        memory.note(2, &newer);
        assert_eq!(memory.recall(2), Some(newer));
    }

    #[test]
    fn records_come_back() {
        let memory = PeerMemory::default();
        memory.note(2, &stamp(3, 5, 10));
        let records = memory.take_changed();
        let back =
            PeerMemory::new(records.iter().map(|(_, bytes)| PeerRecord::decode(bytes.as_slice()).unwrap()));
        assert_eq!(back.recall(2), Some(stamp(3, 5, 10)));
    }
}
