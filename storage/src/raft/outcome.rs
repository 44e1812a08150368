//! What applying a log entry gave.

use std::fmt;

use coffer_proto::internal::v1::CommandResult;

/// The result of a command; empty for entries that carry none.
#[derive(Clone, PartialEq, Default)]
pub struct Outcome(pub CommandResult);

/// Only the index: results can hold `_id`s, and openraft prints responses.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "outcome at {}", self.0.applied_index)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
