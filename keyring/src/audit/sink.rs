//! Who is told of events.

use super::AuditEvent;

/// Who is told of what happens to keys. [`super::AuditLog`] is one.
///
/// A call may wait for a disk. It must not call the keyring that tells it: that waits for the call.
pub trait AuditSink: Send + Sync {
    /// Takes events in the order in which they happened; what they tell of is done and on stable storage, or failed. What
    /// cannot be written is the sink's to report: the change has happened.
    fn record(&self, events: Vec<AuditEvent>);
}
