//! The rule by which a member that was put back to an older copy of itself is recognised.
//!
//! Peers remember the highest incarnation, vote and flushed log id that they heard of a member. One that now knows less
//! of itself may vote a second time in a term, or has forgotten what it acknowledged.
//!
//! A log id is compared under the vote it was declared under, and no other: a member that voted for a newer leader since
//! may have truncated entries that no majority held, rightly.

use coffer_proto::internal::v1::{PeerStamp, RecordLogId, RecordVote};

/// Whether `remembered` exceeds what the member knows of itself, and in what.
///
/// `own.incarnation` is the one before this start takes the next; `own.flushed` is the last log id on stable storage.
pub fn went_back(own: &PeerStamp, remembered: &PeerStamp) -> Option<String> {
    if own.incarnation < remembered.incarnation {
        return Some(format!(
            "it was started {} times, this directory knows of {}",
            remembered.incarnation, own.incarnation
        ));
    }
    let own_vote = vote_order(own.vote.as_ref());
    let remembered_vote = vote_order(remembered.vote.as_ref());
    if own_vote < remembered_vote {
        return Some(format!(
            "it voted in term {}, this directory's last vote is of term {}",
            remembered_vote.0, own_vote.0
        ));
    }
    let own_log = log_order(own.flushed.as_ref());
    let remembered_log = log_order(remembered.flushed.as_ref());
    if own_vote == remembered_vote && own_log < remembered_log {
        return Some(format!(
            "it acknowledged log index {} of term {}, this directory's log ends at index {} of term {}",
            remembered_log.1, remembered_log.0, own_log.1, own_log.0
        ));
    }
    None
}

/// Votes order by term; within a term by what was granted to whom, a granted leader above a mere vote for it.
pub fn vote_order(vote: Option<&RecordVote>) -> (u64, bool, u64) {
    vote.map_or((0, false, 0), |vote| (vote.term, vote.committed, vote.member_id))
}

/// Log ids order by term and index.
pub fn log_order(id: Option<&RecordLogId>) -> (u64, u64) {
    id.map_or((0, 0), |id| (id.term, id.index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(incarnation: u64, term: u64, committed: bool, log: (u64, u64)) -> PeerStamp {
        PeerStamp {
            incarnation,
            vote: Some(RecordVote { term, member_id: 1, committed }),
            flushed: Some(RecordLogId { term: log.0, index: log.1 }),
        }
    }

    #[test]
    fn the_same_or_more_is_no_way_back() {
        let own = stamp(3, 7, true, (7, 100));
        assert_eq!(went_back(&own, &own), None);
        assert_eq!(went_back(&own, &stamp(2, 6, true, (6, 400))), None);
        assert_eq!(went_back(&own, &PeerStamp::default()), None);
    }

    #[test]
    fn each_of_the_three_shows_a_way_back() {
        let own = stamp(3, 7, true, (7, 100));
        for (remembered, word) in [
            (stamp(4, 7, true, (7, 100)), "started"),
            (stamp(3, 8, false, (7, 100)), "voted"),
            (stamp(3, 7, true, (7, 101)), "acknowledged"),
        ] {
            let why = went_back(&own, &remembered).expect("less is known than remembered");
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn a_newer_vote_allows_a_shorter_log() {
        // Truncated for the leader of term 8, and stopped before its entries came.
        assert_eq!(went_back(&stamp(3, 8, true, (7, 90)), &stamp(3, 7, true, (7, 100))), None);
    }

    #[test]
    fn an_empty_directory_under_a_known_id_is_a_way_back() {
        assert!(went_back(&PeerStamp::default(), &stamp(1, 1, true, (1, 1))).is_some());
    }
}
