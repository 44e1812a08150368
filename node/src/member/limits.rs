//! How much a member takes on at once.

use std::time::Duration;

/// How much a member takes on at once: what is beyond it is refused with RESOURCE_EXHAUSTED, never queued without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Writes that are proposed and not yet answered.
    pub max_concurrent_writes: usize,
    /// Writes that wait for one of those places; the next one is refused.
    pub max_queued_writes: usize,
    /// Reads that run at once.
    pub max_concurrent_reads: usize,
    /// Reads that wait for one of those places; the next one is refused.
    pub max_queued_reads: usize,
    /// Cursors (answers to Find) that are open at once; each pins a view of its database.
    pub max_open_cursors: usize,
    /// The deadline of a call whose client names none.
    pub default_deadline: Duration,
    /// The longest deadline: a later one is shortened to it.
    pub max_deadline: Duration,
}
