//! When and how the members are compared.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::DatabaseId;
use coffer_proto::v1::admin_client::AdminClient;
use coffer_proto::v1::{StateHashRequest, StateHashResponse};
use futures::future::join_all;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::{sleep, timeout};
use tonic::Request;

use super::hashes::{Comparison, compare as compare_hashes};
use crate::alerts::AlertKind;
use crate::member::{Member, Serving};
use crate::services::hash_message;

/// How long a member may take to hash a database: as long as a call may take at all.
const HASH_LIMIT: Duration = Duration::from_secs(600);

/// How often a database is tried that is written to while it is hashed, and the pause between the tries.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// Compares one database after the other, one in each `interval`, while this member leads; until it is dropped.
pub(crate) async fn compare(member: &Arc<Member>, interval: Duration) -> Infallible {
    if interval.is_zero() {
        return std::future::pending().await;
    }
    let mut last = None;
    loop {
        sleep(interval).await;
        let Ok(serving) = member.serving() else { continue };
        if !serving.raft.metrics().borrow_watched().state.is_leader() {
            continue;
        }
        if let Some((id, name)) = next(&serving, last) {
            last = Some(id);
            compare_one(member, &serving, id, &name).await;
        }
    }
}

/// The database after `last`, in the order of their ids, round and round.
fn next(serving: &Serving, last: Option<DatabaseId>) -> Option<(DatabaseId, String)> {
    let databases = serving.engine.list_databases().ok()?;
    let mut databases: Vec<_> = databases.into_iter().map(|database| (database.id, database.name)).collect();
    databases.sort();
    let after = databases.iter().find(|(id, _)| last.is_none_or(|last| *id > last));
    after.or(databases.first()).cloned()
}

async fn compare_one(member: &Arc<Member>, serving: &Arc<Serving>, id: DatabaseId, name: &str) {
    for _ in 0..TRIES {
        let Some(own) = hash_here(serving, id).await else { return };
        let asked = member.peers().into_keys().map(|peer| hash_at(member, peer, name, own.database_index));
        let answers: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        match compare_hashes((member.identity().member_id.0, &own), &answers) {
            Comparison::Equal => {
                member.alerts().resolve(AlertKind::StateHashDiffers, &id.to_string());
                return tracing::debug!(database = %id, "the members hold the same");
            }
            Comparison::Differ(members) => {
                let text = format!(
                    "members {members:?} hold different data in database {id}; `coffer hash` tells in which collection"
                );
                return member.alerts().raise(AlertKind::StateHashDiffers, &id.to_string(), text);
            }
            Comparison::NotComparable => sleep(PAUSE).await,
        }
    }
    tracing::debug!(database = %id, "the members could not be compared: it is written to, or a member is away");
}

async fn hash_here(serving: &Arc<Serving>, id: DatabaseId) -> Option<StateHashResponse> {
    let engine = serving.engine.clone();
    let hashed = tokio::task::spawn_blocking(move || engine.state_hash(id, None)).await;
    // Dropped meanwhile, or the member stops.
    Some(hash_message(hashed.ok()?.ok()?))
}

/// What a peer has; nothing where it does not answer.
async fn hash_at(
    member: &Member,
    peer: u64,
    database: &str,
    at_least_index: u64,
) -> Option<(u64, StateHashResponse)> {
    let address = member.peers().remove(&peer)?;
    let channel = member.peer_channels().get(peer, &address).ok()?;
    let request =
        StateHashRequest { database: database.to_owned(), collection: String::new(), at_least_index };
    let mut request = Request::new(request);
    request.set_timeout(HASH_LIMIT);
    let answer = timeout(HASH_LIMIT, AdminClient::new(channel).state_hash(request)).await.ok()?.ok()?;
    Some((peer, answer.into_inner()))
}
