//! Compares the hashes of a database.

use std::collections::BTreeSet;

use coffer_proto::v1::StateHashResponse;

/// What the hashes of a database say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// All members that were asked hold the same.
    Equal,
    /// No two answers are about the same entry, or not all are: nothing can be said yet.
    NotComparable,
    /// These members, of which the first is the one that asked, differ.
    Differ(BTreeSet<u64>),
}

/// Compares what `own` hashed with what the peers did.
pub(super) fn compare(own: (u64, &StateHashResponse), peers: &[(u64, StateHashResponse)]) -> Comparison {
    let (id, own) = own;
    let same_entry = |answer: &StateHashResponse| answer.database_index == own.database_index;
    let mut differ: BTreeSet<u64> = peers
        .iter()
        .filter(|(_, answer)| same_entry(answer) && answer.collections != own.collections)
        .map(|(peer, _)| *peer)
        .collect();
    if !differ.is_empty() {
        differ.insert(id);
        return Comparison::Differ(differ);
    }
    match !peers.is_empty() && peers.iter().all(|(_, answer)| same_entry(answer)) {
        true => Comparison::Equal,
        false => Comparison::NotComparable,
    }
}

#[cfg(test)]
mod tests {
    use coffer_proto::v1::CollectionHash;

    use super::*;

    fn answer(database_index: u64, hash: u8) -> StateHashResponse {
        let collection =
            CollectionHash { collection: "c".to_owned(), documents: 1, hash: vec![hash; 32].into() };
        StateHashResponse { database_index, applied_index: 99, collections: vec![collection] }
    }

    #[test]
    fn only_answers_about_the_same_entry_are_compared() {
        let own = answer(7, 1);
        let compare = |peers: &[(u64, StateHashResponse)]| compare((1, &own), peers);
        assert_eq!(compare(&[(2, answer(7, 1)), (3, answer(7, 1))]), Comparison::Equal);
        assert_eq!(compare(&[(2, answer(7, 1)), (3, answer(8, 9))]), Comparison::NotComparable);
        assert_eq!(compare(&[]), Comparison::NotComparable);
        let differ = Comparison::Differ(BTreeSet::from([1, 3]));
        assert_eq!(compare(&[(2, answer(7, 1)), (3, answer(7, 2))]), differ);
        assert_eq!(
            compare(&[(2, answer(8, 1)), (3, answer(7, 2))]),
            differ,
            "one that cannot be compared hides nothing"
        );
    }
}
