//! What a verification found.

use std::fmt;

use super::AuditHead;
use crate::Timestamp;

/// What a verification of an audit log found.
#[derive(Clone, Debug, Default)]
pub struct AuditReport {
    /// How many lines were read.
    pub lines: u64,
    /// The number of the first line that is there: more than 1 where old segments were dropped.
    pub first_line: u64,
    /// When it was written; `None` for an empty log.
    pub first_time: Option<Timestamp>,
    /// When the last line was written.
    pub last_time: Option<Timestamp>,
    /// The last line and its hash.
    pub head: AuditHead,
    /// Lines whose MAC fits.
    pub authenticated: u64,
    /// Lines with a MAC under a key that is not at hand: of an earlier time with encryption on, or no key was given.
    pub unchecked: u64,
    /// Lines that were written without a key: the member was sealed, or encryption off.
    pub without_key: u64,
    /// How many lines stand after the last one whose MAC fits: nothing but the chain and remembered heads speaks for them.
    pub unauthenticated_tail: u64,
    /// Remembered heads of lines that were dropped since, so that they could not be compared.
    pub heads_dropped: u64,
    /// The highest remembered head that was found in the log; 0 for none.
    pub head_found: u64,
    /// What does not fit, at most [`AuditReport::MAX_PROBLEMS`] of it.
    pub problems: Vec<AuditProblem>,
    /// How many problems there were beyond those.
    pub more_problems: u64,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditProblem {
    /// The name of the file; empty where it is about the log as a whole.
    pub file: String,
    /// The line in that file, counted from 1; 0 where it is about the file as a whole.
    pub line: u64,
    /// What it is.
    pub fault: AuditFault,
    /// For a person.
    pub text: String,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFault {
    /// No line of this log.
    Unreadable,
    /// A line, or the one before it, was changed.
    Changed,
    /// Lines are missing.
    Removed,
    /// A line stands where another belongs.
    Reordered,
    /// The log ends before a line that is remembered.
    Truncated,
    /// The log does not hold a line that is remembered: it was replaced or rewritten.
    Replaced,
}

impl AuditReport {
    /// Most problems that are listed: the first ones say where to look.
    pub const MAX_PROBLEMS: usize = 100;

    /// Whether everything fits.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn add(&mut self, file: &str, line: u64, fault: AuditFault, text: String) {
        if self.problems.len() < Self::MAX_PROBLEMS {
            self.problems.push(AuditProblem { file: file.to_owned(), line, fault, text });
        } else {
            self.more_problems += 1;
        }
    }
}

impl fmt::Display for AuditProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.text),
            (file, 0) => write!(f, "{file}: {}", self.text),
            (file, line) => write!(f, "{file}, line {line}: {}", self.text),
        }
    }
}
