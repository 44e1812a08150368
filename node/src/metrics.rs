//! The names of all metrics, and the few helpers that the services count with.
//!
//! Invariant: a label is one of a fixed set of words: never anything that a client sent.

use metrics::counter;

/// Requests refused because a queue was full; label `queue`.
pub const QUEUE_REFUSED: &str = "coffer_queue_refused_total";

/// Counts a request that was refused because `queue` (`writes`, `reads`, `cursors`) was full.
pub fn queue_refused(queue: &'static str) {
    counter!(QUEUE_REFUSED, "queue" => queue).increment(1);
}
