//! Which page explains what.
//!
//! `KmsError::help_code` names the page of an error; here are the pages of what a member makes of it.

use super::Stop;
use crate::health::{ProbeOutcome, Verdict};
use crate::kms::help_codes;

/// Sealed, waiting for KMS.
pub(super) const SEALED: &str = "CK0030";
/// Revoked, shut down.
pub(super) const REVOKED: &str = "CK0031";
/// Home was silent for as long as its owner allows.
pub(super) const SILENT: &str = "CK0032";
/// A peer told of it.
pub(super) const TOLD: &str = "CK0033";
/// A denial is pending.
pub(super) const PENDING: &str = "CK0034";
/// An operator's choice is in force.
pub(super) const OVERRIDE: &str = "CK0035";

/// Code of the page that explains an outcome of a probe; empty after a success.
pub fn outcome_help(outcome: &ProbeOutcome) -> &'static str {
    if let Some(error) = &outcome.error {
        return error.help_code();
    }
    match (outcome.verdict, &outcome.key_state) {
        (Verdict::Denied, Some(crate::kms::KeyState::Disabled)) => help_codes::KEY_DISABLED,
        (Verdict::Denied, _) => help_codes::KEY_PENDING,
        _ => "",
    }
}

/// Code of the page that explains why a member shut down.
pub fn stop_help(stop: &Stop) -> &'static str {
    match stop {
        Stop::Denied { .. } => REVOKED,
        Stop::Told { .. } => TOLD,
        Stop::Silent { .. } => SILENT,
    }
}

/// Code of the page for a sealed member: the one of what keeps it sealed, where that is known.
pub fn sealed_help(cause: &'static str) -> &'static str {
    if cause.is_empty() { SEALED } else { cause }
}
