//! `coffer hash`: whether the members hold the same documents.

use std::collections::BTreeMap;

use coffer_client::status::{MemberState, StateHashResponse};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{Context, no_service};
use crate::args::Hash;
use crate::failure::Failure;
use crate::table::{grouped, table};

/// How often the members are asked again while writes go on.
const ROUNDS: usize = 5;

struct Answer {
    member_id: u64,
    endpoint: String,
    hash: StateHashResponse,
}

/// Runs it. Ends with status 1 where members disagree.
pub async fn run(cx: &mut Context, args: Hash) -> Result<(), Failure> {
    let admin = cx.client.admin();
    let reports = admin.status_all().await;
    let asked = reports.len();
    let members: Vec<(u64, String)> = reports
        .iter()
        .filter_map(|report| {
            let status =
                report.status.as_ref().ok().filter(|status| status.state() == MemberState::Serving)?;
            Some((status.member_id, report.endpoint.clone()))
        })
        .collect();
    if members.is_empty() {
        return Err(Failure::Unreachable(format!("no member serves\n  {}", no_service::why(&reports))));
    }
    let collection = args.collection.as_deref().unwrap_or_default();
    let mut at_least = 0;
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        let hashes =
            join_all(
                members.iter().map(|(member_id, endpoint)| {
                    let hash = admin.state_hash(endpoint, &args.database, collection, at_least);
                    async move {
                        Ok(Answer { member_id: *member_id, endpoint: endpoint.clone(), hash: hash.await? })
                    }
                }),
            )
            .await;
        answers = hashes.into_iter().collect::<Result<Vec<_>, Failure>>()?;
        let indexes = || answers.iter().map(|answer| answer.hash.database_index);
        let newest = indexes().max().unwrap_or_default();
        if indexes().all(|index| index == newest) {
            break;
        }
        at_least = newest;
    }
    let verdict = compare(&answers);
    let name = |collection: &str| format!("{}.{collection}", args.database);
    let mut rows =
        table(&["COLLECTION", "MEMBER", "ENDPOINT", "DOCUMENTS", "AT INDEX", "SHA-256"], &[1, 3, 4]);
    let mut lines: Vec<_> = answers
        .iter()
        .flat_map(|answer| {
            answer.hash.collections.iter().map(move |entry| (&entry.collection, answer, entry))
        })
        .collect();
    // Side by side what should be the same.
    lines.sort_by_key(|(collection, answer, _)| (*collection, answer.member_id));
    for (collection, answer, entry) in lines {
        rows.add_row([
            name(collection),
            answer.member_id.to_string(),
            answer.endpoint.clone(),
            grouped(entry.documents),
            grouped(answer.hash.database_index),
            hex::encode(&entry.hash).chars().take(16).collect(),
        ]);
    }
    let said = match &verdict {
        Verdict::Agree if answers.len() == 1 => {
            "one member serves: there is nothing to compare it with".to_owned()
        }
        Verdict::Agree if answers.len() < asked => {
            format!("{} members agree; {} do not serve", answers.len(), asked - answers.len())
        }
        Verdict::Agree => format!("{} members agree", answers.len()),
        Verdict::Differ(collections) => format!("members DIFFER in: {}", collections.join(", ")),
        Verdict::Moving => "not comparable: writes went on while the members were asked".to_owned(),
    };
    let text = format!("{rows}\n{said}");
    cx.output.print(text, &json!({
        "database": args.database,
        "verdict": match verdict { Verdict::Agree => "agree", Verdict::Differ(_) => "differ", Verdict::Moving => "moving" },
        "members": answers.iter().map(to_json).collect::<Vec<_>>(),
    }))?;
    match verdict {
        Verdict::Agree => Ok(()),
        Verdict::Differ(_) => Err(Failure::Refused(format!(
            "{said}: this must never happen; keep the data directories and report it"
        ))),
        Verdict::Moving => Err(Failure::Refused(format!("{said}; try again when fewer writes go on"))),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Agree,
    /// The collections in which members at the same index differ.
    Differ(Vec<String>),
    /// No difference was seen, but not all members were at one index.
    Moving,
}

/// Compares the members that are at the same index of the database.
fn compare(answers: &[Answer]) -> Verdict {
    let mut by_index: BTreeMap<u64, Vec<&Answer>> = BTreeMap::new();
    for answer in answers {
        by_index.entry(answer.hash.database_index).or_default().push(answer);
    }
    let mut different = Vec::new();
    for group in by_index.values() {
        let names = group.iter().flat_map(|answer| &answer.hash.collections).map(|entry| &entry.collection);
        let mut names: Vec<&String> = names.collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let entry = |answer: &Answer| {
                answer.hash.collections.iter().find(|entry| entry.collection == *name).cloned()
            };
            let first = entry(group[0]);
            if group.iter().any(|answer| entry(answer) != first) {
                different.push(name.clone());
            }
        }
    }
    if !different.is_empty() {
        Verdict::Differ(different)
    } else if by_index.len() > 1 {
        Verdict::Moving
    } else {
        Verdict::Agree
    }
}

fn to_json(answer: &Answer) -> Value {
    json!({
        "member_id": answer.member_id,
        "endpoint": answer.endpoint,
        "database_index": answer.hash.database_index,
        "applied_index": answer.hash.applied_index,
        "collections": answer.hash.collections.iter().map(|entry| json!({
            "collection": entry.collection,
            "documents": entry.documents,
            "hash": hex::encode(&entry.hash),
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use coffer_client::status::CollectionHash;

    use super::*;

    fn answer(member_id: u64, index: u64, collections: &[(&str, u8)]) -> Answer {
        let collections = collections
            .iter()
            .map(|(name, hash)| CollectionHash {
                collection: (*name).to_owned(),
                documents: 1,
                hash: vec![*hash; 32].into(),
            })
            .collect();
        let hash = StateHashResponse { database_index: index, applied_index: index, collections };
        Answer { member_id, endpoint: "a:1".into(), hash }
    }

    #[test]
    fn only_members_at_one_index_are_compared() {
        let same = [answer(1, 5, &[("a", 1)]), answer(2, 5, &[("a", 1)])];
        assert_eq!(compare(&same), Verdict::Agree);
        let moving = [answer(1, 5, &[("a", 1)]), answer(2, 6, &[("a", 2)])];
        assert_eq!(compare(&moving), Verdict::Moving);
        let differ = [answer(1, 5, &[("a", 1), ("b", 1)]), answer(2, 5, &[("a", 2)]), answer(3, 6, &[])];
        assert_eq!(compare(&differ), Verdict::Differ(vec!["a".into(), "b".into()]));
    }
}
