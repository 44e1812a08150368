//! The leader's look at all members and at the records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffer_proto::internal::v1::{MemberKeysRecord, ReportKeysRequest, SettingsRecord};
use coffer_storage::raft::Membership;
use coffer_storage::raft::wire::{self, WireError};
use coffer_storage::{Engine, StorageError, SystemKind};
use futures::future::join_all;
use openraft::async_runtime::watch::WatchReceiver;

use super::KeyTargets;
use super::plan::{MemberView, Situation};
use super::report::report;
use crate::member::{Member, Serving};
use crate::members::PeerCall;
use crate::services::{Deadline, LeaderHint, ServiceError, linearize, now_ms};
use crate::system_records::Expect;

/// How long a member's report is waited for. It is made from memory; a member that needs longer is as good as silent.
const REPORT_LIMIT: Duration = Duration::from_secs(2);

/// How long it may take to find out that this member leads.
const LEADER_LIMIT: Duration = Duration::from_secs(5);

/// The id of the one record of settings, and of the one of targets.
pub(crate) const ONLY: &str = "";

/// What a leader sees.
pub(super) struct Observation {
    /// What the decision is made from.
    pub(super) situation: Situation,
    /// The term in which this member led when it looked.
    pub(super) term: u64,
    /// What the targets' record has to be for it to be replaced.
    pub(super) targets: Expect,
    /// The reports of the members that answered; none of one that is rebuilding its data.
    pub(super) reports: Vec<MemberKeysRecord>,
    /// The reports that are stored.
    pub(super) stored: BTreeMap<u64, MemberKeysRecord>,
}

/// Why there is nothing to decide from.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObserveError {
    /// This member does not lead, or cannot show it.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Storage fails, or closes.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A record is not what it should be.
    #[error(transparent)]
    Record(#[from] WireError),
    /// A panic, or the end of the runtime.
    #[error("{0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The records that belong to key work.
struct Records {
    settings: Option<SettingsRecord>,
    targets: KeyTargets,
    revision: Expect,
    reports: BTreeMap<u64, MemberKeysRecord>,
}

/// Looks, as leader. `None` before the replica set has settings.
pub(super) async fn observe(
    member: &Arc<Member>,
    serving: &Arc<Serving>,
) -> Result<Option<Observation>, ObserveError> {
    let before = serving.raft.metrics().borrow_watched().current_term;
    linearize(&serving.raft, &Deadline::after(LEADER_LIMIT)).await?;
    let metrics = serving.raft.metrics().borrow_watched().clone();
    let (leader, term) = (metrics.id, metrics.current_term);
    // A term that begins in between is another leader's: an order must not carry it.
    if term != before || !metrics.state.is_leader() {
        return Err(ServiceError::NotLeader(LeaderHint::default()).into());
    }
    member.key_work().memory().lead(term, Instant::now());
    let engine = serving.engine.clone();
    let Records { settings, targets, revision, reports: stored } =
        tokio::task::spawn_blocking(move || read(&engine)).await??;
    let Some(settings) = settings else { return Ok(None) };
    let request = ReportKeysRequest {
        databases: targets.record().databases.iter().map(|database| database.database_id).collect(),
        term,
    };
    let membership = metrics.membership_config.membership();
    let answers = ask(member, serving, membership, leader, &request).await;
    let now = Instant::now();
    let members = view(member, membership, &answers, &stored, now);
    let situation = Situation {
        leader,
        settings,
        targets,
        members,
        databases: serving.keyring.databases().iter().map(|id| id.0).collect(),
        now_ms: now_ms(),
    };
    let reports = answers.into_values().filter(|report| !report.rebuilding).collect();
    Ok(Some(Observation { situation, term, targets: revision, reports, stored }))
}

fn read(engine: &Engine) -> Result<Records, ObserveError> {
    let settings = engine.system_record(SystemKind::Settings, ONLY)?;
    let settings = settings
        .map(|record| wire::decode("the record of settings", &record.value, |r: &SettingsRecord| r.format))
        .transpose()?;
    let (targets, revision) = read_targets(engine)?;
    let mut reports = BTreeMap::new();
    for (_, record) in engine.system_records(SystemKind::MemberKeys)? {
        let report: MemberKeysRecord =
            wire::decode("the record of a member's keys", &record.value, |r: &MemberKeysRecord| r.format)?;
        reports.insert(report.member_id, report);
    }
    Ok(Records { settings, targets, revision, reports })
}

/// The targets of this member's present state, and what their record has to be for it to be replaced.
pub(crate) fn read_targets(engine: &Engine) -> Result<(KeyTargets, Expect), ObserveError> {
    Ok(match engine.system_record(SystemKind::Targets, ONLY)? {
        Some(record) => (KeyTargets::decode(&record.value)?, Expect::Revision(record.revision)),
        None => (KeyTargets::default(), Expect::Absent),
    })
}

/// Asks every member at once; those that do not answer are not in the result.
async fn ask(
    member: &Arc<Member>,
    serving: &Serving,
    membership: &Membership,
    leader: u64,
    request: &ReportKeysRequest,
) -> BTreeMap<u64, MemberKeysRecord> {
    let others = membership.nodes().map(|(id, _)| *id).filter(|id| *id != leader);
    let calls = others.map(|id| async move {
        let answer = match PeerCall::new(member, id, REPORT_LIMIT) {
            Ok(mut call) => call.report_keys(request.clone()).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => Some((id, answer.keys?)),
            Err(error) => {
                tracing::debug!(member = id, %error, "no report of keys");
                None
            }
        }
    });
    let mut answers: BTreeMap<_, _> = join_all(calls).await.into_iter().flatten().collect();
    answers.insert(leader, report(member, serving, request).await);
    answers
}

fn view(
    member: &Member,
    membership: &Membership,
    answers: &BTreeMap<u64, MemberKeysRecord>,
    stored: &BTreeMap<u64, MemberKeysRecord>,
    now: Instant,
) -> Vec<MemberView> {
    let voters: BTreeSet<u64> = membership.voter_ids().collect();
    let mut memory = member.key_work().memory();
    let ids: BTreeSet<u64> = membership.nodes().map(|(id, _)| *id).collect();
    memory.keep(|id| ids.contains(&id));
    let view = |id: u64| {
        let answer = answers.get(&id);
        if answer.is_some() {
            memory.heard(id, now);
        }
        let report = match answer {
            // It cannot say everything while it rebuilds: what it said last counts.
            Some(answer) if answer.rebuilding => Some(MemberKeysRecord {
                busy: true,
                percent: answer.percent,
                ..stored.get(&id).unwrap_or(answer).clone()
            }),
            Some(answer) => Some(answer.clone()),
            None => stored.get(&id).cloned(),
        };
        let silent = memory.silent(id, now).as_millis();
        MemberView {
            id,
            voter: voters.contains(&id),
            report,
            silent_ms: answer.is_none().then(|| i64::try_from(silent).unwrap_or(i64::MAX)),
            refused: memory.refusal(id, now),
        }
    };
    ids.iter().copied().map(view).collect()
}
