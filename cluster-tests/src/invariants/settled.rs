//! Everything that must hold of a load once the faults are over.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bson::{Document, doc};
use coffer_client::{FindOptions, ReadConcern};
use futures::TryStreamExt;

use super::{acknowledged_writes, hashes_agree, no_duplicates};
use crate::cluster::Cluster;
use crate::member::Member;
use crate::workload::Ledger;

/// Waits until all members have caught up, then checks on each of them that every acknowledged write is there, none
/// twice and nothing else, and that their state hashes agree.
///
/// # Errors
/// What does not hold.
pub async fn settled(
    cluster: &mut Cluster,
    ledger: &Ledger,
    database: &str,
    collection: &str,
    deadline: Duration,
) -> anyhow::Result<()> {
    hashes_agree(cluster, database, deadline).await?;
    for member in cluster.members() {
        let who = format!("member {}", member.id());
        let found = documents(member, database, collection)
            .await
            .with_context(|| format!("reading {who}\n{}", cluster.log_tails()))?;
        acknowledged_writes(&who, ledger, &found)?;
        no_duplicates(&who, ledger, &found)?;
    }
    Ok(())
}

/// All documents of a collection as `member` itself has them, by their `_id`.
async fn documents(
    member: &Member,
    database: &str,
    collection: &str,
) -> anyhow::Result<BTreeMap<String, Document>> {
    let collection = member.client()?.database(database).collection(collection);
    let options = FindOptions { read_concern: ReadConcern::Local, ..FindOptions::default() };
    let mut cursor = collection.find(&doc! {}, options).await?;
    let mut found = BTreeMap::new();
    while let Some(document) = cursor.try_next().await? {
        let id = document.get_str("_id").context("a document whose _id is no text")?.to_owned();
        found.insert(id, document);
    }
    Ok(found)
}
