//! The leader's part: it looks at all members, keeps what they report, and tells the next one to work.
//!
//! Invariants:
//! - Before each order this member has shown that it leads, and the order carries the term in which it did: a member that
//!   knows a later one refuses.
//! - Who is told is written down before it is told.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffer_proto::internal::v1 as pb;
use coffer_storage::SystemKind;
use coffer_storage::raft::Raft;
use openraft::async_runtime::watch::WatchReceiver;
use prost::Message;

use super::do_work::{do_key_work, follow};
use super::observe::{ONLY, Observation, ObserveError, observe};
use super::plan::{Decision, Work, decide, notices};
use super::raise::{forget, raise};
use super::report::kept;
use crate::member::{Member, Serving};
use crate::members::{PeerCall, PeerCallError};
use crate::services::{ServiceError, denied_members, hand_over};
use crate::system_records::{Expect, PutError, put, remove};
use crate::{alerts, audit};

/// How often the leader looks while something is to be done, and while nothing is.
const BUSY_PERIOD: Duration = Duration::from_secs(1);
const IDLE_PERIOD: Duration = Duration::from_secs(10);

/// The shortest time from one look to the next, whatever changes.
const MIN_PERIOD: Duration = Duration::from_millis(50);

/// How long a record may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// How long the answer to an order is waited for: longer than a member takes for it.
const ORDER_LIMIT: Duration = Duration::from_secs(40);

/// How long handing leadership over may take, before a restart of the leader.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(5);

/// A report that does not change is kept anew after this time, so that its age says something.
const REPORT_AGE_MS: i64 = 3600 * 1000;

/// Looks and orders while this member leads, until it is dropped.
pub(crate) async fn coordinate(member: &Arc<Member>) -> Infallible {
    if let Ok(serving) = member.serving() {
        follow(&serving).await;
    }
    loop {
        let Ok(serving) = member.serving() else {
            tokio::time::sleep(BUSY_PERIOD).await;
            continue;
        };
        let mut changes = serving.engine.system_changes();
        changes.mark_unchanged();
        let pause = match leads(&serving.raft) {
            true => look_and_act(member, &serving).await,
            false => {
                member.key_work().show(Vec::new());
                forget(member);
                IDLE_PERIOD
            }
        };
        tokio::time::sleep(MIN_PERIOD).await;
        // Whoever holds it keeps the databases open.
        let raft = serving.raft.clone();
        drop(serving);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = changes.changed() => {}
            () = leadership_changes(&raft) => {}
        }
    }
}

fn leads(raft: &Raft) -> bool {
    raft.metrics().borrow_watched().state.is_leader()
}

/// Ends when this member begins to lead, or ends to.
async fn leadership_changes(raft: &Raft) {
    let mut metrics = raft.metrics();
    let led = leads(raft);
    while metrics.borrow_watched().state.is_leader() == led {
        if metrics.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// One look, and what follows from it. Answers when to look again.
async fn look_and_act(member: &Arc<Member>, serving: &Arc<Serving>) -> Duration {
    let observation = match observe(member, serving).await {
        Ok(Some(observation)) => observation,
        Ok(None) => return BUSY_PERIOD,
        Err(ObserveError::Service(ServiceError::NotLeader(_))) => return IDLE_PERIOD,
        Err(error) => {
            tracing::debug!(%error, "the members' keys cannot be looked at just now");
            return BUSY_PERIOD;
        }
    };
    raise(member, &observation.situation);
    keep_reports(&serving.raft, &observation).await;
    if let Err(error) = audit::keep_heads(member, serving, &observation.reports).await {
        tracing::debug!(%error, "the heads of audit logs are brought up to date later");
    }
    keep_alerts(member, serving, &observation).await;
    let decision = decide(&observation.situation);
    member.key_work().show(notices(&observation.situation));
    match decision {
        Decision::Finished => return IDLE_PERIOD,
        Decision::Wait => {}
        Decision::Store { targets, why } => {
            tracing::info!(why, "key work");
            store(&serving.raft, observation.targets, &targets).await;
        }
        Decision::HandOver => {
            match hand_over(&serving.raft, None, &denied_members(&serving.engine), HAND_OVER_LIMIT).await {
                Ok(leader) => {
                    tracing::info!(leader, "leadership is handed over, so that this member can restart")
                }
                Err(error) => {
                    tracing::warn!(%error, "leadership cannot be handed over, and this member has to restart")
                }
            }
        }
        Decision::Order { member: id, work } => {
            order(member, serving, &observation, id, work).await;
            // What it says now may be followed by the next order at once.
            return MIN_PERIOD;
        }
    }
    BUSY_PERIOD
}

/// Writes the targets in the place of those that were seen. Whether they are there now.
async fn store(raft: &Raft, seen: Expect, targets: &super::KeyTargets) -> bool {
    let kind = SystemKind::Targets.number();
    match put(raft, kind, ONLY, seen, targets.encode(), WRITE_LIMIT).await {
        Ok(_) => true,
        // Somebody asked for something meanwhile, or leadership went: the next look sees it.
        Err(PutError::Conflict { .. } | PutError::NotLeader(_)) => false,
        Err(error) => {
            tracing::warn!(%error, "the record of key work cannot be written");
            false
        }
    }
}

/// Keeps what the members reported, where it changed, and forgets members that are gone.
async fn keep_reports(raft: &Raft, observation: &Observation) {
    let kind = SystemKind::MemberKeys.number();
    for report in &observation.reports {
        let report = kept(report);
        let stored = observation.stored.get(&report.member_id);
        let same = stored.is_some_and(|stored| {
            let age = report.reported_ms.saturating_sub(stored.reported_ms);
            age < REPORT_AGE_MS
                && *stored == pb::MemberKeysRecord { reported_ms: stored.reported_ms, ..report.clone() }
        });
        if same {
            continue;
        }
        let id = report.member_id.to_string();
        if let Err(error) = put(raft, kind, &id, Expect::Anything, report.encode_to_vec(), WRITE_LIMIT).await
        {
            tracing::debug!(member = report.member_id, %error, "its report is not kept");
        }
    }
    let members: BTreeSet<u64> = observation.situation.members.iter().map(|member| member.id).collect();
    for gone in observation.stored.keys().filter(|id| !members.contains(id)) {
        if let Err(error) = remove(raft, kind, &gone.to_string(), Expect::Anything, WRITE_LIMIT).await {
            tracing::debug!(member = gone, %error, "the report of a member that is gone stays for now");
        }
    }
}

/// Makes the records of alerts say what the members report.
async fn keep_alerts(member: &Member, serving: &Serving, observation: &Observation) {
    let situation = &observation.situation;
    let mut reports = observation.reports.clone();
    // What was just raised is told at once.
    for own in reports.iter_mut().filter(|report| report.member_id == situation.leader) {
        own.alerts = member.alerts().open();
    }
    let members: BTreeSet<u64> = situation.members.iter().map(|member| member.id).collect();
    if let Err(error) = alerts::keep(serving, situation.leader, &members, &reports).await {
        tracing::debug!(%error, "the records of alerts are brought up to date later");
    }
}

/// Gives a member the turn, and tells it.
async fn order(member: &Arc<Member>, serving: &Arc<Serving>, observation: &Observation, id: u64, work: Work) {
    let situation = &observation.situation;
    let mut targets = situation.targets.clone();
    targets.give_turn(id, matches!(work, Work::Encryption { .. }));
    if targets != situation.targets && !store(&serving.raft, observation.targets, &targets).await {
        return;
    }
    let order = pb::KeyWorkOrder {
        term: observation.term,
        settings: Some(situation.settings.clone()),
        work: Some(message(work)),
    };
    tracing::info!(member = id, ?work, "a member is told to work on its keys");
    let answer = if id == situation.leader {
        Ok(do_key_work(member, serving, order).await)
    } else {
        tell(member, id, order).await
    };
    match answer {
        Ok(result) if result.accepted => {
            member.key_work().memory().accepted(id);
        }
        Ok(result) => refused(member, id, format!("{} ({})", result.refusal, result.help_code)),
        Err(PeerCallError::Refused(status)) => refused(member, id, status.message().to_owned()),
        // It may or may not have done it: its next report says.
        Err(error) => {
            tracing::warn!(member = id, %error, "a member was told to work on its keys and gave no answer")
        }
    }
}

fn refused(member: &Member, id: u64, text: String) {
    tracing::warn!(member = id, reason = %text, "a member refused to work on its keys");
    member.key_work().memory().refused(id, text, Instant::now());
}

async fn tell(member: &Member, id: u64, order: pb::KeyWorkOrder) -> Result<pb::KeyWorkResult, PeerCallError> {
    PeerCall::new(member, id, ORDER_LIMIT)?.do_key_work(order).await
}

fn message(work: Work) -> pb::key_work_order::Work {
    use pb::key_work_order::Work as Message;
    match work {
        Work::Master { round } => Message::Master(pb::MasterWork { round }),
        Work::Database { database_id, round } => Message::Database(pb::DatabaseWork { database_id, round }),
        Work::Encryption { enabled, round } => Message::Encryption(pb::EncryptionWork { enabled, round }),
        Work::Rewrap => Message::Rewrap(pb::RewrapWork {}),
    }
}
