//! The names of verdicts in status, logs and metrics.

use coffer_keyring::health::Verdict;

/// The names, as `EncryptionStatus.verdict` has them.
pub(crate) const VERDICTS: [&str; 6] =
    ["accessible", "unreachable", "throttled", "denied", "misconfigured", "unknown"];

/// The name of a verdict.
pub(crate) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accessible => "accessible",
        Verdict::NoVerdict => "throttled",
        Verdict::Unreachable => "unreachable",
        Verdict::Misconfigured => "misconfigured",
        Verdict::Denied => "denied",
    }
}
