//! What the machine needs of a probe.

use std::time::Duration;

use super::{KeyStoreRule, outcome_help};
use crate::health::{ProbeOutcome, Verdict};
use crate::kms::{KeyState, KmsErrorClass, Region, help_codes};

/// What one probe of one Region found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The Region that was asked.
    pub region: Region,
    /// When, since the member's start.
    pub asked: Duration,
    /// What it comes to.
    pub verdict: Verdict,
    /// Whether the service itself was out of reach: an outage, or a way that this member refuses to take.
    pub cut: bool,
    /// Whether a denial is a fact of the key, true for every member.
    pub fact: bool,
    /// The service's code of the failure; empty after a success.
    pub code: String,
    /// Code of the page that explains it; empty after a success.
    pub help: &'static str,
    /// The key's state, where it was read.
    pub key_state: Option<KeyState>,
    /// Encrypt and Decrypt work, and DescribeKey is refused.
    pub describe_denied: bool,
}

impl Observation {
    /// Reads the outcome of a probe that was started at `asked`.
    pub fn new(outcome: &ProbeOutcome, rule: KeyStoreRule, asked: Duration) -> Self {
        let state = outcome.error.as_ref().and_then(|error| error.key_state.as_ref());
        let state = state.or(outcome.key_state.as_ref());
        let code = outcome.error.as_ref().map(|error| error.code.clone());
        let unavailable = is_unavailable(outcome, state);
        let verdict = match rule {
            // It may say Unreachable for good or for a while; only its owner knows what that should mean.
            KeyStoreRule::Denied if unavailable => Verdict::Denied,
            KeyStoreRule::Refuse if unavailable => Verdict::Misconfigured,
            KeyStoreRule::Unreachable if unavailable => Verdict::Unreachable,
            _ => outcome.verdict,
        };
        Self {
            region: outcome.region.clone(),
            asked,
            verdict,
            // A public address where a private network is required: what is there was not asked.
            cut: verdict == Verdict::Unreachable || code.as_deref() == Some("PublicEndpoint"),
            fact: outcome.is_fact_of_key(),
            // A key whose state alone speaks against it has no error.
            code: code.unwrap_or_else(|| match (outcome.verdict, state) {
                (Verdict::Denied, Some(KeyState::Disabled)) => "DisabledException".to_owned(),
                (Verdict::Denied, _) => "KMSInvalidStateException".to_owned(),
                _ => String::new(),
            }),
            help: if unavailable { help_codes::CUSTOM_KEY_STORE } else { outcome_help(outcome) },
            key_state: state.cloned(),
            describe_denied: outcome.verdict == Verdict::Accessible
                && outcome.describe_error.as_ref().is_some_and(|error| error.class == KmsErrorClass::Denied),
        }
    }

    /// An observation of a verdict alone, as if asked at `asked`.
    pub fn bare(region: &Region, verdict: Verdict, asked: Duration) -> Self {
        Self {
            region: region.clone(),
            asked,
            verdict,
            cut: verdict == Verdict::Unreachable,
            fact: false,
            code: String::new(),
            help: "",
            key_state: None,
            describe_denied: false,
        }
    }
}

/// Whether the custom or external key store behind the key does not answer. A proxy of an external store that is out of reach
/// leaves the key's state Enabled: there the error alone tells (Encrypt in the KMS API reference, `KMSInvalidStateException`).
fn is_unavailable(outcome: &ProbeOutcome, state: Option<&KeyState>) -> bool {
    let of_state = outcome.error.as_ref().is_some_and(|error| error.code == "KMSInvalidStateException");
    let of_store = outcome.custom_key_store == Some(true) && of_state && state == Some(&KeyState::Enabled);
    match outcome.verdict {
        Verdict::Unreachable => state == Some(&KeyState::Unavailable),
        Verdict::NoVerdict => of_store,
        Verdict::Accessible | Verdict::Misconfigured | Verdict::Denied => false,
    }
}
