//! Looks after a member that serves, and says what is wrong: that nobody leads, that members do not answer.

use std::convert::Infallible;
use std::time::Duration;

use coffer_storage::raft::{Raft, TypeConfig};
use openraft::Instant as _;
use openraft::RaftMetrics;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::config::ClusterSection;
use crate::member::{Concern, Member};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Elections take a second or two; what lasts longer is worth a word.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks until it is dropped.
pub(crate) async fn attend(member: &Member, raft: &Raft, cluster: &ClusterSection) -> Infallible {
    let metrics = raft.metrics();
    // A member that has just started hears of its leader in a moment.
    let mut ticks = interval_at(Instant::now() + 2 * EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut leaderless: Option<Instant> = None;
    loop {
        ticks.tick().await;
        // The guard of the watch holds a lock that Raft needs: the value is cloned and the guard let go.
        let now = metrics.borrow_watched().clone();
        member.concern(Concern::Set, waits_for_set(&now, cluster));
        leaderless = match now.current_leader {
            Some(_) => None,
            None => leaderless.or_else(|| Some(Instant::now())),
        };
        let lasts = leaderless.is_some_and(|since| since.elapsed() > PATIENCE);
        let started = now.membership_config.voter_ids().next().is_some();
        let text = "nobody leads: a majority of the members cannot be reached, so nothing can be written";
        member.concern(Concern::Leader, (lasts && started).then(|| text.to_owned()));
        member.concern(Concern::Peers, silent(&now));
    }
}

/// What a member waits for that belongs to no replica set.
fn waits_for_set(now: &RaftMetrics<TypeConfig>, cluster: &ClusterSection) -> Option<String> {
    if now.membership_config.membership().nodes().next().is_some() {
        return None;
    }
    let first = cluster.members.iter().map(|member| member.id).min();
    Some(match first {
        Some(first) if cluster.own_address().is_some() => {
            format!("the replica set is not started: member {first} does that once all members answer it")
        }
        _ => format!("it waits to be added to the replica set: `coffer member add {}`", now.id),
    })
}

/// On a leader, the members that have not answered for long.
fn silent(now: &RaftMetrics<TypeConfig>) -> Option<String> {
    let heard = now.heartbeat.as_ref()?;
    let silent: Vec<_> = heard
        .iter()
        .filter(|(id, at)| **id != now.id && at.is_none_or(|at| at.elapsed() > PATIENCE))
        .map(|(id, _)| id.to_string())
        .collect();
    match silent.as_slice() {
        [] => None,
        [one] => Some(format!("member {one} does not answer")),
        many => Some(format!("members {} do not answer", many.join(", "))),
    }
}
