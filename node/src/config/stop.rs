//! `[stop]`: how long a stop may take.

use serde::{Deserialize, Serialize};

use super::{Problems, Span};

/// How long a stop may take, step by step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StopSection {
    /// How long a leader waits for another member to take over; a part of `drain_timeout`, never longer.
    pub handover_timeout: Span,
    /// How long calls that run may go on, from the first step of the stop.
    pub drain_timeout: Span,
    /// How long Raft and the databases may take to close; then the process ends without them.
    pub close_timeout: Span,
}

impl Default for StopSection {
    fn default() -> Self {
        Self { handover_timeout: Span::secs(2), drain_timeout: Span::secs(5), close_timeout: Span::secs(5) }
    }
}

impl StopSection {
    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, span) in [
            ("stop.handover_timeout", self.handover_timeout),
            ("stop.drain_timeout", self.drain_timeout),
            ("stop.close_timeout", self.close_timeout),
        ] {
            problems.unless(span <= Span::secs(600), key, "10m is the most");
        }
    }
}
