//! Hands leadership over.
//!
//! openraft's trigger says nothing of what became of it, and from then on the leader takes no writes until somebody is
//! elected. So the way is smoothed first (the successor answers, and has nearly everything), and the result is watched.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use coffer_proto::internal::v1::MemberKeysRecord;
use coffer_storage::raft::{Raft, TypeConfig};
use coffer_storage::{Engine, SystemKind};
use openraft::{Instant as _, RaftMetrics, async_runtime::watch::WatchReceiver};
use prost::Message;
use tokio::time::{Instant, timeout_at};

use super::super::{
    deadline::Deadline,
    error::{LeaderHint, ServiceError},
};
use crate::member::Serving;

/// Entries that the successor may lack when it is told: it waits for them, but not longer than the shortest election
/// timeout.
const MAX_LAG: u64 = 64;

/// The longest silence of a member that may be a successor.
const MAX_SILENCE: Duration = Duration::from_secs(2);

/// Why leadership was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// This member does not lead.
    #[error("this member does not lead")]
    NotLeader(LeaderHint),
    /// The member is no voter, or there is none but this one.
    #[error("{0}")]
    NoSuccessor(String),
    /// Nobody, or somebody else, leads at the deadline.
    #[error("{0}")]
    NotTaken(String),
    /// Raft has stopped.
    #[error("this member's Raft has stopped")]
    Stopped,
}

impl From<HandOverError> for ServiceError {
    fn from(error: HandOverError) -> Self {
        let text = error.to_string();
        match error {
            HandOverError::NotLeader(hint) => Self::NotLeader(hint),
            HandOverError::NoSuccessor(_) | HandOverError::NotTaken(_) | HandOverError::Stopped => {
                Self::Membership(text)
            }
        }
    }
}

/// The members that said last that KMS denied them the customer's key: they may be about to shut down, so none is made the
/// leader.
pub(crate) fn denied_members(engine: &Engine) -> BTreeSet<u64> {
    let records = engine.system_records(SystemKind::MemberKeys).unwrap_or_default();
    let reports =
        records.iter().filter_map(|(_, record)| MemberKeysRecord::decode(record.value.as_ref()).ok());
    reports.filter(|report| report.denial_pending).map(|report| report.member_id).collect()
}

/// Answers the call: who leads now. `to` is 0 for the voter that is furthest.
pub async fn transfer(serving: Arc<Serving>, to: u64, deadline: Deadline) -> Result<u64, ServiceError> {
    let to = (to != 0).then_some(to);
    let avoid = denied_members(&serving.engine);
    Ok(hand_over(&serving.raft, to, &avoid, deadline.left()).await?)
}

/// Hands leadership to member `to`, or to the voter that is furthest, and waits until it leads; answers who does. Where
/// `to` leads already there is nothing to do. Unless it is named by `to`, none of `avoid` is chosen. Takes at most `limit`.
///
/// # Errors
/// This member does not lead, there is no fit successor, or it did not take over in time.
pub(crate) async fn hand_over(
    raft: &Raft,
    to: Option<u64>,
    avoid: &BTreeSet<u64>,
    limit: Duration,
) -> Result<u64, HandOverError> {
    let deadline = Instant::now() + limit;
    let metrics = raft.metrics().borrow_watched().clone();
    let this = metrics.id;
    if !metrics.state.is_leader() {
        return Err(HandOverError::NotLeader(leader_hint(&metrics)));
    }
    if to == Some(this) {
        return Ok(this);
    }
    if let Some(to) = to.filter(|to| !others(&metrics).any(|voter| voter == *to)) {
        return Err(HandOverError::NoSuccessor(format!(
            "member {to} is no voter of this replica set, so it cannot lead it"
        )));
    }
    if others(&metrics).next().is_none() {
        return Err(HandOverError::NoSuccessor(
            "this member is the only voter: nobody can take over".to_owned(),
        ));
    }
    let successor = await_fit(raft, to, avoid, deadline).await?;
    raft.trigger().transfer_leader(successor).await.map_err(|_| HandOverError::Stopped)?;
    let term = metrics.current_term;
    let taken = wait(raft, deadline, |metrics| {
        // Somebody else leads, or this member was elected again.
        metrics.current_leader.is_some_and(|leader| leader != this || metrics.current_term > term)
    })
    .await?;
    match taken.and_then(|metrics| metrics.current_leader) {
        Some(leader) if leader != this && to.is_none_or(|to| to == leader) => Ok(leader),
        Some(leader) if leader != this => {
            Err(HandOverError::NotTaken(format!("member {leader} was elected instead of member {successor}")))
        }
        Some(_) | None => Err(HandOverError::NotTaken(format!(
            "member {successor} did not take over in time; it or another member will be elected"
        ))),
    }
}

/// Who leads, as far as a member knows.
pub(super) fn leader_hint(metrics: &RaftMetrics<TypeConfig>) -> LeaderHint {
    let address = metrics
        .current_leader
        .and_then(|id| metrics.membership_config.membership().get_node(&id))
        .map(|node| node.addr.clone());
    LeaderHint { id: metrics.current_leader, address }
}

/// The voters that could take over.
fn others(metrics: &RaftMetrics<TypeConfig>) -> impl Iterator<Item = u64> {
    metrics.membership_config.voter_ids().filter(|id| *id != metrics.id)
}

/// The member that is meant, or the voter that holds the most; `None` where it would not be elected just now.
fn fit(metrics: &RaftMetrics<TypeConfig>, to: Option<u64>, avoid: &BTreeSet<u64>) -> Option<u64> {
    others(metrics)
        .filter(|id| to.map_or(!avoid.contains(id), |to| to == *id))
        .filter(|id| answers(metrics, *id) && has_caught_up(metrics, *id))
        .max_by_key(|id| matched(metrics, *id))
}

fn matched(metrics: &RaftMetrics<TypeConfig>, id: u64) -> Option<u64> {
    let replication = metrics.replication.as_ref()?;
    replication.get(&id).copied().flatten().map(|matched| matched.index)
}

/// Whether the leader heard of a member a moment ago.
pub(super) fn answers(metrics: &RaftMetrics<TypeConfig>, id: u64) -> bool {
    let heard = metrics.heartbeat.as_ref().and_then(|heard| heard.get(&id).copied().flatten());
    heard.is_some_and(|at| at.elapsed() < MAX_SILENCE)
}

/// Whether a member holds what this one does, a few entries aside.
pub(super) fn has_caught_up(metrics: &RaftMetrics<TypeConfig>, id: u64) -> bool {
    let last = metrics.last_log_index.unwrap_or(0);
    matched(metrics, id).is_some_and(|matched| matched + MAX_LAG >= last)
}

/// Waits for a fit successor: half of the time for getting ready, the other half is for the election.
async fn await_fit(
    raft: &Raft,
    to: Option<u64>,
    avoid: &BTreeSet<u64>,
    deadline: Instant,
) -> Result<u64, HandOverError> {
    let now = Instant::now();
    let ready_by = now + deadline.saturating_duration_since(now) / 2;
    let ready =
        wait(raft, ready_by, |metrics| !metrics.state.is_leader() || fit(metrics, to, avoid).is_some())
            .await?;
    match ready {
        Some(metrics) if !metrics.state.is_leader() => Err(HandOverError::NotLeader(leader_hint(&metrics))),
        ready => ready.and_then(|metrics| fit(&metrics, to, avoid)).ok_or_else(|| {
            let who = to.map_or_else(|| "no other voter".to_owned(), |to| format!("member {to}"));
            HandOverError::NoSuccessor(format!(
                "{who} is fit to lead: a successor has to answer, and to lack at most {MAX_LAG} entries"
            ))
        }),
    }
}

/// Waits until the metrics are as wanted; `None` at the deadline.
pub(super) async fn wait(
    raft: &Raft,
    deadline: Instant,
    wanted: impl Fn(&RaftMetrics<TypeConfig>) -> bool,
) -> Result<Option<RaftMetrics<TypeConfig>>, HandOverError> {
    let mut watched = raft.metrics();
    loop {
        let metrics = watched.borrow_watched().clone();
        if wanted(&metrics) {
            return Ok(Some(metrics));
        }
        match timeout_at(deadline, watched.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(HandOverError::Stopped),
            Err(_) => return Ok(None),
        }
    }
}
