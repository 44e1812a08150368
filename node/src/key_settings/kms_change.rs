//! Changes the settings of the replica set, after every member has tried the new ones.
//!
//! Invariants:
//! - Settings are replaced only by the leader, only in the revision that was tried, and only where every member that
//!   answers finds nothing wrong; who does not answer has to be allowed by name.
//! - A denial that is neither confirmed nor cleared, anywhere, keeps key, Regions and role as they are.

use std::collections::BTreeSet;
use std::time::Duration;

use coffer_proto::internal::v1::{CheckKmsRequest, SettingsRecord};
use coffer_proto::v1::{KmsChangeRequest, KmsChangeResponse, MemberFindings};
use futures::future::join_all;
use openraft::async_runtime::watch::WatchReceiver;

use super::change::{apply, concerns_kms};
use super::settings::public;
use super::store::{self, Stored};
use super::{CHECK_LIMIT, Finding, KeySettings, ReadError, all_warnings, check_kms, codes};
use crate::member::{Member, Serving};
use crate::members::{PeerCall, PeerCallError};
use crate::services::{Deadline, LeaderHint, ServiceError, Uncertainty, linearize, now_ms};
use crate::system_records::PutError;

/// How long the way to a member and back may take, beside its try.
const ROUND_TRIP: Duration = Duration::from_secs(2);

/// What is left of a deadline for writing the change down.
const WRITE_TIME: Duration = Duration::from_secs(1);

/// Most members that may be named as absent: more than a replica set has.
const MAX_ABSENT: usize = 100;

/// Makes a change, or only tries it. What is wrong is told in the answer, by member.
///
/// # Errors
/// This member does not lead, or nobody knows whether the change was made.
pub(crate) async fn change(
    member: &Member,
    serving: &Serving,
    request: KmsChangeRequest,
    deadline: &Deadline,
) -> Result<KmsChangeResponse, ServiceError> {
    linearize(&serving.raft, deadline).await?;
    let stored = store::read(&serving.engine).await.map_err(unreadable)?;
    let (revision, current) = match stored {
        Some(Stored { revision, record }) => (revision, record),
        // What the leader is configured with; without a key, where encryption is off.
        None => (0, SettingsRecord::clone(&member.key().settings())),
    };
    let mut answer = KmsChangeResponse { settings: Some(public(&current)), ..KmsChangeResponse::default() };
    let next = match consider(&request, &current) {
        Ok(next) => next,
        Err(findings) => {
            answer.findings = into_public(findings);
            return Ok(answer);
        }
    };
    if request.change.is_none() || concerns_kms(&current, &next.to_record()) {
        let allowed: BTreeSet<u64> = request.allow_absent.iter().copied().collect();
        let found = ask_members(member, serving, &current, &next, &allowed, deadline).await?;
        let accepted = found.iter().all(|found| all_warnings(&found.findings));
        answer.members = found.into_iter().map(MemberFindings::from).collect();
        if !accepted {
            return Ok(answer);
        }
    }
    answer.accepted = true;
    if request.validate_only || next.version() == current.version {
        return Ok(answer);
    }
    match store::write(&serving.raft, &next, revision).await {
        Ok(_) => {}
        Err(PutError::Conflict { .. }) => {
            answer.accepted = false;
            answer.findings = into_public(vec![changed_meanwhile()]);
            return Ok(answer);
        }
        Err(PutError::NotLeader(hint)) => return Err(ServiceError::NotLeader(hint)),
        Err(PutError::Unknown(_)) => {
            return Err(ServiceError::OutcomeUnknown(Uncertainty::Interrupted(LeaderHint::default())));
        }
        Err(PutError::Refused(why)) => {
            answer.accepted = false;
            answer.findings = into_public(vec![Finding::error(codes::BAD_VALUE, why)]);
            return Ok(answer);
        }
    }
    tracing::info!(version = next.version(), "the settings of the customer's key are changed");
    request_masters(serving, &current, &next).await;
    answer.settings = Some(next.to_public());
    Ok(answer)
}

/// What is to be tried: the settings that the request makes of the current ones.
fn consider(request: &KmsChangeRequest, current: &SettingsRecord) -> Result<KeySettings, Vec<Finding>> {
    let mut findings = Vec::new();
    if request.allow_absent.len() > MAX_ABSENT {
        findings.push(Finding::error(
            codes::BAD_VALUE,
            format!("at most {MAX_ABSENT} members are allowed to be absent"),
        ));
    }
    if request.expected_version != 0 && request.expected_version != current.version {
        findings.push(changed_meanwhile());
    }
    let next = match &request.change {
        Some(change) => apply(current, change, now_ms()),
        None => KeySettings::parse(&public(current), current.changed_ms),
    };
    match next {
        Ok(next) if findings.is_empty() => Ok(next),
        Ok(_) => Err(findings),
        Err(more) => {
            findings.extend(more);
            Err(findings)
        }
    }
}

/// A replaced key is not forgotten until every member has a new master key. That they make one follows from the settings.
async fn request_masters(serving: &Serving, current: &SettingsRecord, next: &KeySettings) {
    let Ok(current) = KeySettings::from_record(current) else { return };
    if current.cmk().is_same_key(next.cmk()) {
        return;
    }
    let (old, new) = (current.cmk(), next.cmk());
    if let Err(error) = store::request_masters(&serving.engine, &serving.raft, old, new, now_ms()).await {
        tracing::warn!(%error, %old, "it is not written down that members still depend on the replaced key");
    }
}

/// What a member found.
struct Found {
    member: u64,
    absent: bool,
    findings: Vec<Finding>,
}

impl From<Found> for MemberFindings {
    fn from(found: Found) -> Self {
        Self { member_id: found.member, absent: found.absent, findings: into_public(found.findings) }
    }
}

/// Has every member try the settings, all at once.
async fn ask_members(
    member: &Member,
    serving: &Serving,
    current: &SettingsRecord,
    next: &KeySettings,
    allowed: &BTreeSet<u64>,
    deadline: &Deadline,
) -> Result<Vec<Found>, ServiceError> {
    let own = member.identity().member_id.0;
    let metrics = serving.raft.metrics().borrow_watched().clone();
    let members: BTreeSet<u64> = metrics.membership_config.membership().nodes().map(|(id, _)| *id).collect();
    let limit = (CHECK_LIMIT + ROUND_TRIP).min(deadline.left().saturating_sub(WRITE_TIME));
    if limit < WRITE_TIME {
        return Err(ServiceError::Deadline("the members could be asked"));
    }
    let request = CheckKmsRequest { settings: Some(next.to_record()), current: Some(current.clone()) };
    let asked = members.into_iter().map(|id| {
        let request = request.clone();
        async move {
            if id == own {
                return (id, Ok(check_kms(member, &request).await));
            }
            (id, ask(member, id, request, limit).await)
        }
    });
    let mut found = Vec::new();
    for (id, answer) in join_all(asked).await {
        found.push(match answer {
            Ok(findings) => Found { member: id, absent: false, findings },
            Err(error) => {
                let denied = denial_was_pending(serving, id).await?;
                Found {
                    member: id,
                    absent: true,
                    findings: absent(id, &error, allowed.contains(&id), denied),
                }
            }
        });
    }
    Ok(found)
}

async fn ask(
    member: &Member,
    id: u64,
    request: CheckKmsRequest,
    limit: Duration,
) -> Result<Vec<Finding>, PeerCallError> {
    let answer = PeerCall::new(member, id, limit)?.check_kms(request).await?;
    Ok(answer.problems.into_iter().map(Finding::from).collect())
}

/// Whether a member that does not answer reported a denial last: nobody can say that it is cleared.
async fn denial_was_pending(serving: &Serving, id: u64) -> Result<bool, ServiceError> {
    let reports = store::member_reports(&serving.engine).await.map_err(unreadable)?;
    Ok(reports.iter().any(|report| report.member_id == id && report.denial_pending))
}

fn absent(id: u64, error: &PeerCallError, allowed: bool, denied: bool) -> Vec<Finding> {
    let problem = format!(
        "member {id} did not answer ({error}), so nobody knows whether it can use the key; bring it back, or allow it to be \
         absent"
    );
    let mut findings = vec![Finding { warning: allowed, ..Finding::error(codes::ABSENT, problem) }];
    if denied {
        let problem = "the customer's key was denied to this member when it was heard of last, and nobody knows whether that \
                       is cleared";
        findings.push(Finding::error(codes::DENIAL_PENDING, problem));
    }
    findings
}

fn changed_meanwhile() -> Finding {
    let problem =
        "the settings were changed meanwhile: look at them (`coffer kms show`) and make the change again";
    Finding::error(codes::CHANGED_MEANWHILE, problem)
}

fn into_public<T: From<Finding>>(findings: Vec<Finding>) -> Vec<T> {
    findings.into_iter().map(T::from).collect()
}

fn unreadable(error: ReadError) -> ServiceError {
    ServiceError::internal("the settings of the customer's key", &error)
}
