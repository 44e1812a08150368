//! Every acknowledged write is there, nothing else is, and what was refused has changed nothing.

use std::collections::BTreeMap;

use anyhow::bail;
use bson::Document;

use crate::workload::Ledger;

/// How many differences are shown; the first ones tell enough.
const SHOWN: usize = 20;

/// Compares the documents of a collection on one member, by `_id`, with what a load was told.
///
/// # Errors
/// Names the first documents that have a version that they cannot have, or lack one that they must have.
pub fn acknowledged_writes(
    who: &str,
    ledger: &Ledger,
    found: &BTreeMap<String, Document>,
) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for (id, possible) in &ledger.documents {
        let version = found.get(id).map(|document| document.get_i64("version").unwrap_or(i64::MIN));
        if !possible.contains(&version) {
            wrong.push(format!("{id} has version {version:?}; possible are {possible:?}"));
        }
    }
    for (id, tally) in &ledger.tallies {
        let there = additions(found.get(id));
        for addition in &tally.acknowledged {
            if !there.contains(addition) {
                wrong.push(format!("{id} lacks the acknowledged addition {addition}"));
            }
        }
        for addition in &there {
            if !tally.acknowledged.contains(addition) && !tally.unknown.contains(addition) {
                wrong.push(format!("{id} has the addition {addition}, which was refused or never made"));
            }
        }
    }
    for id in found.keys() {
        if !ledger.documents.contains_key(id) && !ledger.tallies.contains_key(id) {
            wrong.push(format!("{id} was never written"));
        }
    }
    if !wrong.is_empty() {
        let count = wrong.len();
        wrong.truncate(SHOWN);
        bail!("{count} differences on {who}:\n{}", wrong.join("\n"));
    }
    Ok(())
}

/// The additions of a tally document, in the order in which they took effect.
pub(super) fn additions(tally: Option<&Document>) -> Vec<i64> {
    tally
        .and_then(|document| document.get_array("additions").ok())
        .map(|all| all.iter().filter_map(bson::Bson::as_i64).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::workload::Outcome;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.note_document("kept", None, Some(0), Outcome::Acknowledged);
        ledger.note_document("perhaps", None, Some(0), Outcome::Unknown);
        ledger.note_document("refused", None, Some(0), Outcome::NotDone);
        ledger.note_addition("tally", 1, Outcome::Acknowledged);
        ledger.note_addition("tally", 2, Outcome::NotDone);
        ledger
    }

    fn check(documents: &[Document]) -> anyhow::Result<()> {
        let found =
            documents.iter().map(|document| (document.get_str("_id").unwrap().to_owned(), document.clone()));
        acknowledged_writes("member 1", &ledger(), &found.collect())
    }

    #[test]
    fn lost_invented_and_refused_writes_are_found() {
        let kept = doc! { "_id": "kept", "version": 0_i64 };
        let perhaps = doc! { "_id": "perhaps", "version": 0_i64 };
        let tally = doc! { "_id": "tally", "additions": [1_i64], "count": 1_i64 };
        check(&[kept.clone(), tally.clone()]).unwrap();
        check(&[kept.clone(), perhaps, tally.clone()]).unwrap();

        for (wrong, documents) in [
            ("kept has version None", vec![tally.clone()]),
            ("kept has version Some(1)", vec![doc! { "_id": "kept", "version": 1_i64 }, tally.clone()]),
            (
                "refused has version",
                vec![kept.clone(), doc! { "_id": "refused", "version": 0_i64 }, tally.clone()],
            ),
            ("x was never", vec![kept.clone(), doc! { "_id": "x" }, tally.clone()]),
            ("lacks the acknowledged addition 1", vec![kept.clone()]),
            ("has the addition 2", vec![kept.clone(), doc! { "_id": "tally", "additions": [1_i64, 2_i64] }]),
        ] {
            let error = check(&documents).unwrap_err().to_string();
            assert!(error.contains(wrong), "{wrong}: {error}");
        }
    }
}
