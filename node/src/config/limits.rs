//! `[limits]`: how much this member takes on at once.

use serde::{Deserialize, Serialize};

use super::{Problems, Span};
use crate::member::Limits;

/// How much this member takes on at once; what is beyond it is refused with RESOURCE_EXHAUSTED.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Writes that are in Raft's hands and not yet answered.
    pub max_concurrent_writes: usize,
    /// Writes that wait for such a place.
    pub max_queued_writes: usize,
    /// Reads that run at once.
    pub max_concurrent_reads: usize,
    /// Reads that wait for such a place.
    pub max_queued_reads: usize,
    /// Answers to Find that are open at once; each pins a view of its database.
    pub max_open_cursors: usize,
    /// The deadline of a call whose client names none.
    pub default_deadline: Span,
    /// The longest deadline; a later one is shortened to it.
    pub max_deadline: Span,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            max_concurrent_writes: 256,
            max_queued_writes: 1024,
            max_concurrent_reads: 64,
            max_queued_reads: 1024,
            max_open_cursors: 256,
            default_deadline: Span::secs(30),
            max_deadline: Span::secs(600),
        }
    }
}

impl LimitsSection {
    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, value) in [
            ("limits.max_concurrent_writes", self.max_concurrent_writes),
            ("limits.max_concurrent_reads", self.max_concurrent_reads),
            ("limits.max_open_cursors", self.max_open_cursors),
        ] {
            problems.unless((1..=1_000_000).contains(&value), key, "1 to 1000000 are possible");
        }
        for (key, value) in [
            ("limits.max_queued_writes", self.max_queued_writes),
            ("limits.max_queued_reads", self.max_queued_reads),
        ] {
            problems.unless(value <= 1_000_000, key, "0 to 1000000 are possible");
        }
        problems.unless(
            self.default_deadline >= Span::millis(1),
            "limits.default_deadline",
            "a deadline is 1ms or more",
        );
        problems.unless(
            self.max_deadline >= self.default_deadline,
            "limits.max_deadline",
            "it cannot be shorter than limits.default_deadline",
        );
    }
}

impl From<&LimitsSection> for Limits {
    fn from(section: &LimitsSection) -> Self {
        Self {
            max_concurrent_writes: section.max_concurrent_writes,
            max_queued_writes: section.max_queued_writes,
            max_concurrent_reads: section.max_concurrent_reads,
            max_queued_reads: section.max_queued_reads,
            max_open_cursors: section.max_open_cursors,
            default_deadline: section.default_deadline.0,
            max_deadline: section.max_deadline.0,
        }
    }
}
