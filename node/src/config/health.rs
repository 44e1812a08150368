//! `[health]`: how the customer's key is watched.

use std::time::Duration;

use coffer_keyring::verdict::{KeyStoreRule, Policy};
use serde::{Deserialize, Serialize};

use super::{Problems, Span};

/// How the customer's key is watched. From a revocation to a stopped member it takes interval, confirm and one probe at
/// most, then the stop itself: 60 s with these values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSection {
    /// How often the key is tried, from the start of one probe to the start of the next.
    pub interval: Span,
    /// Over how long a first denial is confirmed by two more.
    pub confirm: Span,
    /// The first pause of a sealed member before it asks again.
    pub retry_min: Span,
    /// The longest: pauses double up to it.
    pub retry_max: Span,
    /// For how long home has to give access before a member that failed over returns to it.
    pub failback_after: Span,
    /// For how long home may be silent before that counts as a revocation; 0s: for ever.
    pub max_unreachable: Span,
    /// What an unavailable custom or external key store means: `unreachable` or `denied`; empty: such keys are refused.
    pub key_store_unavailable: String,
}

impl Default for HealthSection {
    fn default() -> Self {
        Self {
            interval: Span::secs(30),
            confirm: Span::secs(15),
            retry_min: Span::secs(1),
            retry_max: Span::secs(30),
            failback_after: Span::secs(600),
            max_unreachable: Span::secs(0),
            key_store_unavailable: String::new(),
        }
    }
}

impl HealthSection {
    /// The same, for those who decide.
    pub fn policy(&self) -> Policy {
        Policy {
            interval: self.interval.0,
            confirm: self.confirm.0,
            failback_after: self.failback_after.0,
            max_unreachable: Some(self.max_unreachable.0).filter(|limit| *limit > Duration::ZERO),
            key_store: self.key_store(),
            retry_min: self.retry_min.0,
            retry_max: self.retry_max.0,
            ..Policy::default()
        }
    }

    /// What an unavailable key store means.
    pub fn key_store(&self) -> KeyStoreRule {
        match self.key_store_unavailable.as_str() {
            "unreachable" => KeyStoreRule::Unreachable,
            "denied" => KeyStoreRule::Denied,
            _ => KeyStoreRule::Refuse,
        }
    }

    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, span) in [
            ("health.interval", self.interval),
            ("health.confirm", self.confirm),
            ("health.retry_min", self.retry_min),
            ("health.retry_max", self.retry_max),
        ] {
            problems.unless(
                (Span::millis(20)..=Span::secs(3600)).contains(&span),
                key,
                "20ms to 1h are possible",
            );
        }
        problems.unless(
            self.retry_max >= self.retry_min,
            "health.retry_max",
            "it cannot be shorter than health.retry_min",
        );
        // Below three intervals one lost probe would do.
        problems.unless(
            self.max_unreachable.0.is_zero() || self.max_unreachable.0 >= self.interval.0 * 3,
            "health.max_unreachable",
            "it is off (0s) or at least three times health.interval, or a single slow answer would stop this member",
        );
        problems.unless(
            matches!(self.key_store_unavailable.as_str(), "" | "unreachable" | "denied"),
            "health.key_store_unavailable",
            "unreachable (an outage) and denied (a revocation) are possible, or nothing, which refuses such keys",
        );
    }
}
