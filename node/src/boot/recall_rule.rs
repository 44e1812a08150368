//! What a starting member makes of what its peers remember of it. Pure.
//!
//! Invariants:
//! - One peer that remembers more than the member knows of itself is enough: it does not start.
//! - It goes on only when it and the peers that answered are a majority, so that any majority that it was part of before
//!   has a member among them.
//! - A replica set is started once: only when every configured member says that it never heard of one.

use std::collections::BTreeMap;

use coffer_proto::internal::v1::{PeerStamp, recall_response::Answer};
use coffer_storage::went_back;

/// The peers of a starting member and what they answered so far.
pub(crate) struct RecallRule {
    own: PeerStamp,
    peers: Vec<u64>,
    answers: BTreeMap<u64, Heard>,
}

/// An answer that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    NeverSeen { has_cluster: bool },
    Remembered,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecallVerdict {
    /// Ask these again.
    Ask(Vec<u64>),
    /// Go on.
    GoOn,
}

/// This directory is older than what a peer remembers of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "member {peer} remembers more of this member than its data directory does: {what}. {} Started like this, it could vote \
     twice and lose acknowledged writes, so it is refused. Remove it from the replica set (`coffer member remove`) and let \
     it join under a new id with an empty directory (`coffer member add`)",
    if *.empty { "Its directory is empty, so it was lost or exchanged." }
    else { "The directory was put back to an older copy, or lost writes that had been synced." }
)]
pub struct WentBack {
    /// The peer that remembers.
    pub peer: u64,
    /// What exceeds what.
    pub what: String,
    /// Whether the directory knows nothing at all.
    pub empty: bool,
}

impl RecallRule {
    /// `own` is what the directory says of this member, its last log id as `flushed`; `peers` are the other members.
    pub(crate) fn new(own: PeerStamp, peers: Vec<u64>) -> Self {
        Self { own, peers, answers: BTreeMap::new() }
    }

    /// Takes an answer in.
    pub(crate) fn heard(&mut self, peer: u64, answer: &Answer) -> Result<(), WentBack> {
        let heard = match answer {
            Answer::StillSealed(_) => return Ok(()),
            Answer::NeverSeen(never) => Heard::NeverSeen { has_cluster: never.has_cluster },
            Answer::Remembered(stamp) => {
                if let Some(what) = went_back(&self.own, stamp) {
                    let empty = self.own.incarnation == 0;
                    return Err(WentBack { peer, what, empty });
                }
                Heard::Remembered
            }
        };
        self.answers.insert(peer, heard);
        Ok(())
    }

    /// Whether the answers make a majority, the member itself counted.
    pub(crate) fn verdict(&self) -> RecallVerdict {
        let members = self.peers.len() + 1;
        let heard = self.peers.iter().filter(|peer| self.answers.contains_key(peer)).count() + 1;
        if heard > members / 2 { RecallVerdict::GoOn } else { RecallVerdict::Ask(self.silent()) }
    }

    /// Whether this member may start the replica set: nobody has one, and everybody was asked.
    pub(crate) fn may_start_set(&self) -> StartSet {
        let known =
            self.answers.iter().find(|(_, heard)| !matches!(heard, Heard::NeverSeen { has_cluster: false }));
        if let Some((peer, _)) = known {
            return StartSet::Exists { peer: *peer };
        }
        match self.silent() {
            silent if silent.is_empty() => StartSet::Now,
            silent => StartSet::Ask(silent),
        }
    }

    fn silent(&self) -> Vec<u64> {
        self.peers.iter().copied().filter(|peer| !self.answers.contains_key(peer)).collect()
    }
}

/// Whether a member starts its replica set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StartSet {
    /// It does.
    Now,
    /// These have not answered: one of them may belong to a set already.
    Ask(Vec<u64>),
    /// This peer belongs to one.
    Exists {
        /// Who.
        peer: u64,
    },
}

#[cfg(test)]
mod tests {
    use coffer_proto::internal::v1::{NeverSeen, RecordLogId, RecordVote, StillSealed};

    use super::*;

    fn stamp(incarnation: u64, term: u64, index: u64) -> PeerStamp {
        PeerStamp {
            incarnation,
            vote: Some(RecordVote { term, member_id: 1, committed: true }),
            flushed: Some(RecordLogId { term, index }),
        }
    }

    fn never(has_cluster: bool) -> Answer {
        Answer::NeverSeen(NeverSeen { has_cluster })
    }

    fn sealed() -> Answer {
        Answer::StillSealed(StillSealed { reason: String::new() })
    }

    #[test]
    fn a_majority_with_itself_is_enough() {
        let mut rule = RecallRule::new(stamp(3, 5, 10), vec![2, 3]);
        assert_eq!(rule.verdict(), RecallVerdict::Ask(vec![2, 3]));
        rule.heard(2, &sealed()).unwrap();
        assert_eq!(rule.verdict(), RecallVerdict::Ask(vec![2, 3]));
        rule.heard(3, &Answer::Remembered(stamp(3, 5, 9))).unwrap();
        assert_eq!(rule.verdict(), RecallVerdict::GoOn);
        let mut five = RecallRule::new(stamp(3, 5, 10), vec![2, 3, 4, 5]);
        five.heard(2, &never(true)).unwrap();
        assert_eq!(five.verdict(), RecallVerdict::Ask(vec![3, 4, 5]));
        five.heard(4, &never(true)).unwrap();
        assert_eq!(five.verdict(), RecallVerdict::GoOn);
        let mut even = RecallRule::new(stamp(3, 5, 10), vec![2]);
        assert_eq!(even.verdict(), RecallVerdict::Ask(vec![2]));
        even.heard(2, &never(true)).unwrap();
        assert_eq!(even.verdict(), RecallVerdict::GoOn);
        assert_eq!(RecallRule::new(PeerStamp::default(), vec![]).verdict(), RecallVerdict::GoOn);
    }

    #[test]
    fn an_answer_of_somebody_else_does_not_count() {
        let mut rule = RecallRule::new(PeerStamp::default(), vec![2, 3]);
        rule.heard(9, &never(false)).unwrap();
        assert_eq!(rule.verdict(), RecallVerdict::Ask(vec![2, 3]));
    }

    #[test]
    fn one_peer_that_remembers_more_stops_it() {
        for remembered in [stamp(4, 5, 10), stamp(3, 6, 10), stamp(3, 5, 11)] {
            let mut rule = RecallRule::new(stamp(3, 5, 10), vec![2, 3]);
            rule.heard(2, &Answer::Remembered(stamp(3, 5, 10))).unwrap();
            let refused = rule.heard(3, &Answer::Remembered(remembered)).unwrap_err();
            assert_eq!(refused.peer, 3);
            assert!(refused.to_string().contains("new id"), "{refused}");
            assert!(!refused.empty);
        }
    }

    #[test]
    fn a_lost_directory_is_told_as_such() {
        let mut rule = RecallRule::new(PeerStamp::default(), vec![2, 3]);
        let refused = rule.heard(2, &Answer::Remembered(stamp(1, 1, 1))).unwrap_err();
        assert!(refused.empty);
        assert!(refused.to_string().contains("empty"), "{refused}");
    }

    #[test]
    fn a_set_is_started_when_everybody_says_that_there_is_none() {
        let mut rule = RecallRule::new(PeerStamp::default(), vec![2, 3]);
        rule.heard(2, &never(false)).unwrap();
        assert_eq!(rule.may_start_set(), StartSet::Ask(vec![3]));
        rule.heard(3, &never(false)).unwrap();
        assert_eq!(rule.may_start_set(), StartSet::Now);
        rule.heard(3, &never(true)).unwrap();
        assert_eq!(rule.may_start_set(), StartSet::Exists { peer: 3 });
        assert_eq!(RecallRule::new(PeerStamp::default(), vec![]).may_start_set(), StartSet::Now);
    }
}
