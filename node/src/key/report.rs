//! What the log, the metrics and the member's own state say of the key.
//!
//! Invariant: a line for each change and for each failure, none for each success.

use std::collections::BTreeSet;

use coffer_keyring::health::{ProbeOutcome, Verdict};
use coffer_keyring::verdict::{self, Alert, Decision, Observation, Stance};

use super::observer::KeyEvent;
use crate::alerts::AlertKind;
use crate::member::Member;
use crate::metrics::probed as count;
use crate::verdict_name::verdict_name;

/// A probe has ended.
pub(super) fn probed(member: &Member, outcome: &ProbeOutcome, seen: &Observation) {
    let region = &seen.region;
    let verdict = verdict_name(seen.verdict);
    count(verdict);
    let error = text(outcome);
    let help = seen.help;
    match seen.verdict {
        Verdict::Accessible => tracing::debug!(%region, verdict, "the customer's key works"),
        Verdict::NoVerdict => tracing::info!(%region, verdict, help, %error, "the customer's key"),
        Verdict::Unreachable => {
            tracing::warn!(%region, verdict, help, %error, "the customer's key; this member goes on serving");
        }
        Verdict::Misconfigured => {
            tracing::error!(%region, verdict, help, %error, "the customer's key; this member goes on serving");
        }
        Verdict::Denied => tracing::error!(%region, verdict, help, %error, "the customer's key"),
    }
    let known = member.kms_status().regions;
    let before = known.iter().find(|known| known.region == region.as_str()).map(|known| known.verdict);
    if before != Some(verdict) {
        let error = outcome.error.as_ref();
        member.key().event(&KeyEvent::Verdict {
            region: region.clone(),
            verdict,
            code: seen.code.clone(),
            request_id: error.and_then(|error| error.request_id.clone()).unwrap_or_default(),
        });
    }
}

/// Everything that is wrong now: what is not among it any more is over.
pub(crate) fn alerts(member: &Member, open: &BTreeSet<Alert>) {
    if !member.key().set_alerts(open) {
        return;
    }
    for (kind, known) in KINDS {
        let of_kind: Vec<_> = open.iter().filter(|alert| alert.kind == kind).collect();
        for alert in &of_kind {
            member.alerts().raise_as(known, alert.region.as_str(), alert.help, alert.to_string());
        }
        let subjects: Vec<_> = of_kind.iter().map(|alert| alert.region.as_str()).collect();
        member.alerts().retain(known, &subjects);
    }
}

/// The alerts of the key among those of a member.
const KINDS: [(verdict::AlertKind, AlertKind); 10] = [
    (verdict::AlertKind::Revoked, AlertKind::Revoked),
    (verdict::AlertKind::DenialPending, AlertKind::DenialPending),
    (verdict::AlertKind::KmsUnreachable, AlertKind::KmsUnreachable),
    (verdict::AlertKind::KmsMisconfigured, AlertKind::KmsMisconfigured),
    (verdict::AlertKind::KmsThrottled, AlertKind::KmsThrottled),
    (verdict::AlertKind::Clock, AlertKind::Clock),
    (verdict::AlertKind::FailedOver, AlertKind::FailedOver),
    (verdict::AlertKind::ReplicaUnusable, AlertKind::ReplicaUnusable),
    (verdict::AlertKind::Override, AlertKind::Override),
    (verdict::AlertKind::DescribeDenied, AlertKind::DescribeDenied),
];

/// What is wrong with a member that serves, in one line.
pub(super) fn concern(decision: &Decision) -> Option<String> {
    if decision.stance == Stance::Serve {
        return None;
    }
    let worst: Vec<_> = decision.alerts.iter().filter(|alert| alert.kind.degrades()).collect();
    let lines: Vec<_> = worst.iter().map(|alert| format!("{alert} [{}]", alert.help)).collect();
    Some(lines.join("; "))
}

fn text(outcome: &ProbeOutcome) -> String {
    match (&outcome.error, &outcome.key_state) {
        (Some(error), _) => error.to_string(),
        (None, Some(state)) => format!("the key is {state:?}"),
        (None, None) => "no error was given".to_owned(),
    }
}
