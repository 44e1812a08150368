//! What all document calls share.

use std::sync::Arc;

use super::gate::Gate;
use crate::member::{Limits, Member, NotServing, Serving};

/// Bytes of the writes that are under way or wait. Five batches of the largest size; what a leader holds for them is a
/// small multiple of it.
const MAX_WRITE_BYTES: usize = 256 * 1024 * 1024;

/// What all document calls share.
#[derive(Clone)]
pub struct Context {
    /// The member.
    pub member: Arc<Member>,
    /// The way in for writes.
    pub writes: Gate,
    /// The way in for reads; for a cursor, for each of its batches.
    pub reads: Gate,
    /// The open cursors.
    pub cursors: Gate,
}

impl Context {
    /// The context of the calls to `member`.
    pub fn new(member: Arc<Member>) -> Self {
        let Limits {
            max_concurrent_writes,
            max_queued_writes,
            max_concurrent_reads,
            max_queued_reads,
            max_open_cursors,
            ..
        } = *member.limits();
        Self {
            member,
            writes: Gate::new("writes", max_concurrent_writes, max_queued_writes).with_bytes(MAX_WRITE_BYTES),
            reads: Gate::new("reads", max_concurrent_reads, max_queued_reads),
            cursors: Gate::new("cursors", max_open_cursors, 0),
        }
    }

    /// What the member serves with.
    ///
    /// # Errors
    /// It does not serve.
    pub fn serving(&self) -> Result<Arc<Serving>, NotServing> {
        self.member.serving()
    }
}
