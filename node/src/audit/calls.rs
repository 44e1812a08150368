//! The call VerifyAudit, and what a member verifies by itself.

use std::sync::Arc;

use coffer_keyring::audit::{AuditHead, AuditReport};
use coffer_proto::v1::VerifyAuditResponse;

use super::{Audit, heads};
use crate::alerts::AlertKind;
use crate::member::Member;
use crate::services::{Refusal, ServiceError};

/// Subject of the alert that the log does not verify.
const VERIFY: &str = "verify";

/// Verifies this member's log: its chain, its MACs, and what the replica set remembers of it where that can be asked. In
/// any state of the member; MACs can be checked where it has its keys.
///
/// # Errors
/// The log is not open, or cannot be read.
pub(crate) async fn verify(member: &Member) -> Result<VerifyAuditResponse, ServiceError> {
    let remembered = remembered(member).await;
    let report = report(member.audit(), remembered.clone().unwrap_or_default()).await?;
    note(member.audit(), &report);
    let mut problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    if report.more_problems > 0 {
        problems.push(format!("and {} more", report.more_problems));
    }
    let date =
        |time: Option<coffer_keyring::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    Ok(VerifyAuditResponse {
        member_id: member.identity().member_id.0,
        valid: report.is_sound(),
        lines: report.head.lines,
        first: date(report.first_time),
        last: date(report.last_time),
        problems,
        replicated_line: remembered.into_iter().flatten().map(|head| head.lines).max().unwrap_or(0),
    })
}

/// Once in each start, when the member serves: a log that was replaced while it was off is noticed without being asked.
pub(crate) async fn verify_at_start(member: &Arc<Member>) {
    let remembered = remembered(member).await.unwrap_or_default();
    match report(member.audit(), remembered).await {
        Ok(report) => note(member.audit(), &report),
        Err(error) => tracing::warn!(%error, "the audit log could not be verified"),
    }
}

/// What the replica set remembers of this member's log; `None` where it cannot be asked.
async fn remembered(member: &Member) -> Option<Vec<AuditHead>> {
    let serving = member.serving().ok()?;
    let stored = heads::read(&serving).await.inspect_err(|error| {
        tracing::warn!(%error, "what the replica set remembers of the audit log cannot be read");
    });
    Some(heads::of_member(&stored.ok()?, member.identity().member_id.0))
}

async fn report(audit: &Audit, remembered: Vec<AuditHead>) -> Result<AuditReport, ServiceError> {
    let audit = audit.clone();
    let report = tokio::task::spawn_blocking(move || audit.log().map(|log| log.verify(&remembered))).await;
    match report {
        Ok(Some(Ok(report))) => Ok(report),
        Ok(Some(Err(error))) => Err(ServiceError::internal("reading the audit log", &error)),
        Ok(None) => Err(Refusal::argument("the audit log of this member could not be opened").into()),
        Err(error) => Err(ServiceError::internal("reading the audit log", &error)),
    }
}

fn note(audit: &Audit, report: &AuditReport) {
    let first = report.problems.first().map(ToString::to_string);
    audit.alerts().set(AlertKind::Audit, VERIFY, first);
}
