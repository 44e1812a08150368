//! The record of a load: what every document may look like by what its writer was told.

use std::collections::{BTreeMap, BTreeSet};

use super::Outcome;

/// A document that counts additions, to see whether one took effect twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Additions that were acknowledged.
    pub acknowledged: BTreeSet<i64>,
    /// Additions whose outcome is unknown.
    pub unknown: BTreeSet<i64>,
}

/// What a load did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Of every document the versions that it may have; `None` means that it may be absent.
    pub documents: BTreeMap<String, BTreeSet<Option<i64>>>,
    /// The tallies by `_id`.
    pub tallies: BTreeMap<String, Tally>,
    /// How many writes ended in which way: acknowledged, unknown, not done.
    pub counts: [u64; 3],
}

impl Ledger {
    /// Notes that a write that would take the document `id` from `before` to `after` ended so.
    pub fn note_document(&mut self, id: &str, before: Option<i64>, after: Option<i64>, outcome: Outcome) {
        self.count(outcome);
        let possible = match outcome {
            Outcome::Acknowledged => BTreeSet::from([after]),
            Outcome::Unknown => BTreeSet::from([before, after]),
            Outcome::NotDone => BTreeSet::from([before]),
        };
        self.documents.insert(id.to_owned(), possible);
    }

    /// Notes that adding `addition` to the tally `id` ended so.
    pub fn note_addition(&mut self, id: &str, addition: i64, outcome: Outcome) {
        self.count(outcome);
        let tally = self.tallies.entry(id.to_owned()).or_default();
        match outcome {
            Outcome::Acknowledged => drop(tally.acknowledged.insert(addition)),
            Outcome::Unknown => drop(tally.unknown.insert(addition)),
            Outcome::NotDone => {}
        }
    }

    fn count(&mut self, outcome: Outcome) {
        self.counts[match outcome {
            Outcome::Acknowledged => 0,
            Outcome::Unknown => 1,
            Outcome::NotDone => 2,
        }] += 1;
    }

    /// How many writes were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.counts[0]
    }

    /// Takes in what other writers, with other documents, did.
    pub fn merge(&mut self, other: Self) {
        self.documents.extend(other.documents);
        self.tallies.extend(other.tallies);
        for (sum, more) in self.counts.iter_mut().zip(other.counts) {
            *sum += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_write_leaves_both_outcomes_possible() {
        let mut ledger = Ledger::default();
        ledger.note_document("a", None, Some(0), Outcome::Acknowledged);
        ledger.note_document("a", Some(0), Some(1), Outcome::Unknown);
        ledger.note_document("b", None, Some(0), Outcome::NotDone);
        ledger.note_addition("t", 1, Outcome::Acknowledged);
        ledger.note_addition("t", 2, Outcome::Unknown);
        ledger.note_addition("t", 3, Outcome::NotDone);

        assert_eq!(ledger.documents["a"], BTreeSet::from([Some(0), Some(1)]));
        assert_eq!(ledger.documents["b"], BTreeSet::from([None]));
        let tally = Tally { acknowledged: BTreeSet::from([1]), unknown: BTreeSet::from([2]) };
        assert_eq!(ledger.tallies["t"], tally);
        assert_eq!(ledger.counts, [2, 2, 2]);
    }
}
