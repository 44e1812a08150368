//! What a person should know: raised, acknowledged, resolved, with history.
//!
//! ```text
//! whoever finds a condition ── raise, resolve ──▶ [`Alerts`] of this member (memory) ──▶ status, metrics, log
//!                                                    │ its report to the leader
//!                                                    ▼
//!                                                 [`merge`] at the leader ──▶ replicated records: acknowledgements, history
//! ```
//!
//! Invariants:
//! - An alert is a condition that lasts, named by member, kind and subject; while it lasts it is raised once.
//! - A condition that comes back within a minute is the same alert, not another one: what flaps does not fill the history.
//! - An acknowledgement lasts until the alert is resolved.
//! - What is kept is bounded, here and in the replicated records; the oldest of what is over goes first.
//! - No text holds a name of a document, collection or database, nor a key.

mod book;
mod calls;
mod cmk_age;
mod handle;
mod kind;
mod merge;
mod new_alert;
mod records;
mod view;

pub use book::{AlertBook, Transition};
pub(crate) use calls::{acknowledge, list};
pub use cmk_age::cmk_too_old;
pub use handle::Alerts;
pub use kind::AlertKind;
pub use merge::{StoredAlert, merge};
pub use new_alert::NewAlert;
pub(crate) use records::keep;
pub(crate) use view::to_public;

/// How long after its end a condition that comes back is the same alert, in milliseconds.
pub const SAME_ALERT_MS: i64 = 60_000;

/// How many alerts that are over a member remembers, and how many records the replica set keeps in all.
pub const MAX_HISTORY: usize = 1_000;

/// How many alerts may be open on one member: far more than there are kinds and subjects in a sane cluster.
pub const MAX_OPEN: usize = 256;
