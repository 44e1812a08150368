//! Members that have applied the same entries hold the same documents, bit for bit.

use std::time::Duration;

use anyhow::{Context, bail};
use coffer_proto::v1::CollectionHash;

use crate::cluster::Cluster;
use crate::wait::wait_for;

/// Hashes of the collections of a database, by name.
fn sorted(mut hashes: Vec<CollectionHash>) -> Vec<CollectionHash> {
    hashes.sort_by(|one, other| one.collection.cmp(&other.collection));
    hashes
}

/// Waits until all members have applied what the leader has now, and compares the state hashes of `database`.
/// Nothing must write meanwhile.
///
/// # Errors
/// Where members differ, with the collection; or where one does not catch up within `deadline`.
pub async fn hashes_agree(cluster: &mut Cluster, database: &str, deadline: Duration) -> anyhow::Result<()> {
    let target = cluster.wait_converged(deadline).await?;
    let mut first: Option<(u64, u64, Vec<CollectionHash>)> = None;
    for member in cluster.members() {
        let id = member.id();
        let hash = wait_for(&format!("the state hash of member {id}"), deadline, async || {
            member.state_hash(database, target).await.map_err(|error| format!("{error:#}"))
        })
        .await
        .with_context(|| cluster.log_tails())?;
        let hashes = sorted(hash.collections);
        match &first {
            None => first = Some((id, hash.database_index, hashes)),
            Some((other, index, expected)) => {
                if *index != hash.database_index {
                    bail!(
                        "the last change of {database} is {index} on member {other} and {} on {id}",
                        hash.database_index
                    );
                }
                if *expected != hashes {
                    bail!("members {other} and {id} differ in {database}: {expected:?} and {hashes:?}");
                }
            }
        }
    }
    Ok(())
}
