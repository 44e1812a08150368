//! `[health]`: how the customer's key is watched.

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
}

impl Default for HealthSection {
    fn default() -> Self {
        Self {
            interval: Span::secs(30),
            confirm: Span::secs(15),
            retry_min: Span::secs(1),
            retry_max: Span::secs(30),
        }
    }
}

impl HealthSection {
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
    }
}
