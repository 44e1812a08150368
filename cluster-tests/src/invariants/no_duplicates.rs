//! No write took effect twice, however often it was sent.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use bson::Document;

use super::acknowledged_writes::additions;
use crate::workload::Ledger;

/// Looks for an addition that is in its tally twice, and for a counter that differs from the number of additions.
///
/// # Errors
/// Names the first tally where that is so.
pub fn no_duplicates(who: &str, ledger: &Ledger, found: &BTreeMap<String, Document>) -> anyhow::Result<()> {
    for id in ledger.tallies.keys() {
        let Some(document) = found.get(id) else { continue };
        let all = additions(Some(document));
        let distinct: BTreeSet<_> = all.iter().collect();
        if distinct.len() != all.len() {
            bail!("an addition took effect twice in {id} on {who}: {all:?}");
        }
        let count = document.get_i64("count").unwrap_or(-1);
        if usize::try_from(count) != Ok(all.len()) {
            bail!("{id} on {who} counts {count} additions and holds {}", all.len());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::workload::Outcome;

    #[test]
    fn an_addition_made_twice_is_found() {
        let mut ledger = Ledger::default();
        ledger.note_addition("t", 1, Outcome::Acknowledged);
        let check = |document: Document| {
            no_duplicates("member 1", &ledger, &BTreeMap::from([("t".into(), document)]))
        };

        check(doc! { "additions": [1_i64], "count": 1_i64 }).unwrap();
        let twice = check(doc! { "additions": [1_i64, 1_i64], "count": 2_i64 }).unwrap_err();
        assert!(twice.to_string().contains("twice"), "{twice}");
        let miscounted = check(doc! { "additions": [1_i64], "count": 2_i64 }).unwrap_err();
        assert!(miscounted.to_string().contains("counts 2"), "{miscounted}");
    }
}
