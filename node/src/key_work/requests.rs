//! What people ask for, taken on by the leader: each request is an edit of the targets, written by compare-and-set.

use std::sync::Arc;
use std::time::Duration;

use coffer_document::code;
use coffer_proto::internal::v1::MemberKeysRecord;
use coffer_proto::v1;
use coffer_storage::SystemKind;
use openraft::async_runtime::watch::WatchReceiver;

use super::KeyTargets;
use super::observe::{ONLY, ObserveError, observe, read_targets};
use super::plan::{Situation, date, members_text, next_due, notices, tasks};
use super::targets::TargetsError;
use crate::member::{Member, Serving};
use crate::services::{Deadline, Refusal, RefusalKind, ServiceError, Uncertainty, linearize, now_ms};
use crate::system_records::{PutError, put};

/// How often an edit is tried again because somebody else was quicker. Between two tries somebody else has made progress.
const TRIES: u32 = 20;

/// How long one write of the record may take.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How often, and how far apart, the first settings of a replica set are looked for.
const SETTINGS_LOOKS: u32 = 50;
const SETTINGS_PAUSE: Duration = Duration::from_millis(100);

/// A deferral is at most this long; the settings' limit is shorter.
const MAX_DEFERRAL_DAYS: u32 = 3650;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyRequest {
    /// New master keys: of one member, or of all.
    Master {
        /// The one; `None`: all.
        member: Option<u64>,
    },
    /// A new key of a database on all members.
    Database {
        /// Its name.
        name: String,
    },
    /// Everything sealed, or in the clear.
    Encryption {
        /// Sealed or not.
        enabled: bool,
    },
}

/// Takes a request on; answers its round.
///
/// # Errors
/// This member does not lead, or the request cannot be done.
pub(crate) async fn request(
    member: &Arc<Member>,
    serving: &Arc<Serving>,
    request: KeyRequest,
    deadline: &Deadline,
) -> Result<u64, ServiceError> {
    let now = now_ms();
    let database = match &request {
        KeyRequest::Master { member: Some(id) } => {
            check_member(serving, *id)?;
            0
        }
        KeyRequest::Master { member: None } => 0,
        KeyRequest::Database { name } => {
            linearize(&serving.raft, deadline).await?;
            let id = serving.engine.database_id(name);
            id.ok_or_else(|| Refusal::namespace_not_found("there is no database of that name"))?.0
        }
        KeyRequest::Encryption { enabled } => {
            check_encryption(&look(member, serving).await?, *enabled)?;
            0
        }
    };
    edit(serving, deadline, |targets| match request {
        KeyRequest::Master { member } => targets.request_master_round(member, now),
        KeyRequest::Database { .. } => targets.request_database_round(database, now),
        KeyRequest::Encryption { enabled } => Ok(targets.request_encryption(enabled, now)),
    })
    .await
}

/// Puts scheduled rotations off for some days from now; answers until when. 0 takes a deferral back.
///
/// # Errors
/// As [`request`].
pub(crate) async fn defer(
    member: &Arc<Member>,
    serving: &Arc<Serving>,
    days: u32,
    deadline: &Deadline,
) -> Result<String, ServiceError> {
    let situation = look(member, serving).await?;
    let Some((_, limit)) = next_due(&situation) else {
        return Err(refuse("no rotation of master keys is scheduled, so none can be put off"));
    };
    let until = match days {
        0 => 0,
        days => now_ms().saturating_add(i64::from(days.min(MAX_DEFERRAL_DAYS)) * DAY_MS).min(limit),
    };
    edit(serving, deadline, |targets| {
        targets.defer(until);
        Ok(())
    })
    .await?;
    Ok(date(until))
}

/// What is under way on all members, as their leader sees it now.
///
/// # Errors
/// This member does not lead.
pub(crate) async fn key_work(
    member: &Arc<Member>,
    serving: &Arc<Serving>,
) -> Result<v1::KeyWorkResponse, ServiceError> {
    let situation = look(member, serving).await?;
    let name = |id| serving.engine.database_name(coffer_keyring::DatabaseId(id));
    let members =
        situation.members.iter().map(|view| member_keys(view.id, view.report.as_ref(), view.answers()));
    Ok(v1::KeyWorkResponse {
        tasks: tasks(&situation, name),
        members: members.collect(),
        notices: notices(&situation),
    })
}

fn member_keys(id: u64, report: Option<&MemberKeysRecord>, reachable: bool) -> v1::MemberKeys {
    let Some(report) = report.cloned() else {
        return v1::MemberKeys { member_id: id, reachable, ..v1::MemberKeys::default() };
    };
    let dropped = |shredded: bool| {
        let states = report.dropped.iter().filter(|state| state.shredded == shredded);
        states.map(|state| state.database_id).collect()
    };
    v1::MemberKeys {
        member_id: id,
        reported: date(report.reported_ms),
        reachable,
        master_version: report.master_version,
        raft_version: report.raft_version,
        encryption_enabled: report.encryption_enabled,
        settings_version: report.settings_version,
        shredded: dropped(true),
        not_shredded: dropped(false),
        may_turn_encryption_off: report.may_turn_encryption_off,
        cmk_arn: report.cmk_arn,
        active_region: report.active_region,
        master_created: report.master_created,
    }
}

async fn look(member: &Arc<Member>, serving: &Arc<Serving>) -> Result<Situation, ServiceError> {
    // A replica set that was just started gets its first settings in a moment.
    for _ in 0..SETTINGS_LOOKS {
        if let Some(observation) = observe(member, serving).await? {
            return Ok(observation.situation);
        }
        tokio::time::sleep(SETTINGS_PAUSE).await;
    }
    Err(refuse("the replica set has no key settings yet: try again in a moment"))
}

/// Changes the targets, again as often as somebody else was quicker.
async fn edit<T>(
    serving: &Arc<Serving>,
    deadline: &Deadline,
    change: impl Fn(&mut KeyTargets) -> Result<T, TargetsError>,
) -> Result<T, ServiceError> {
    for _ in 0..TRIES {
        linearize(&serving.raft, deadline).await?;
        let (mut targets, seen) = read_targets(&serving.engine)?;
        let answer = change(&mut targets).map_err(|error| refuse(error.to_string()))?;
        let limit = deadline.left().min(WRITE_LIMIT);
        let kind = SystemKind::Targets.number();
        match put(&serving.raft, kind, ONLY, seen, targets.encode(), limit).await {
            Ok(_) => return Ok(answer),
            Err(PutError::Conflict { .. }) => {}
            Err(PutError::NotLeader(hint)) => return Err(ServiceError::NotLeader(hint)),
            Err(PutError::Refused(text)) => return Err(refuse(text)),
            Err(PutError::Unknown(_)) => {
                return Err(ServiceError::OutcomeUnknown(Uncertainty::Interrupted(Default::default())));
            }
        }
    }
    Err(refuse("the record of key work changes all the time: try again (CK0047)"))
}

fn check_member(serving: &Serving, id: u64) -> Result<(), ServiceError> {
    let metrics = serving.raft.metrics().borrow_watched().clone();
    let known = metrics.membership_config.membership().get_node(&id).is_some();
    known.then_some(()).ok_or_else(|| refuse(format!("there is no member {id} in this replica set (CK0047)")))
}

fn check_encryption(situation: &Situation, enabled: bool) -> Result<(), ServiceError> {
    if enabled {
        return match situation.settings.cmk_arn.as_str() {
            "" => Err(refuse(
                "the replica set has no customer key: set one first, with `coffer kms set-cmk ARN` (CK0047)",
            )),
            _ => Ok(()),
        };
    }
    let members = |wanted: &dyn Fn(Option<&MemberKeysRecord>) -> bool| {
        let ids = situation.members.iter().filter(|member| wanted(member.report.as_ref()));
        ids.map(|member| member.id).collect::<Vec<_>>()
    };
    let unknown = members(&|report| report.is_none());
    if !unknown.is_empty() {
        return Err(refuse(format!(
            "{} never said whether encryption may be turned off there (CK0046)",
            members_text(&unknown)
        )));
    }
    let forbid = members(&|report| report.is_some_and(|report| !report.may_turn_encryption_off));
    if !forbid.is_empty() {
        return Err(refuse(format!(
            "the configuration of {} does not let encryption be turned off: set encryption.allow_off = true there, and \
             restart it (CK0046)",
            members_text(&forbid)
        )));
    }
    Ok(())
}

fn refuse(message: impl Into<String>) -> ServiceError {
    Refusal {
        kind: RefusalKind::State,
        code: code::ILLEGAL_OPERATION,
        code_name: "IllegalOperation".into(),
        message: message.into(),
    }
    .into()
}

impl From<ObserveError> for ServiceError {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Service(error) => error,
            other => Self::internal("look at the members' keys", &other),
        }
    }
}
