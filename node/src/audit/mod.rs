//! The audit log of this member: who writes to it, how its head is remembered by the replica set, how it is verified.
//!
//! ```text
//! keyring ── as a sink, when the change is on disk ──▶ AuditLog ◀── writer thread ◀── queue ── everybody else
//!                                                        │ head, in this member's report to the leader
//!                                                        ▼
//!                                                     [`keep_heads`] at the leader ──▶ replicated records ──▶ verification
//! ```
//!
//! Invariants:
//! - Nobody but the keyring waits for the disk: a disk that hangs delays neither the watch of the customer's key nor a stop.
//! - An event that cannot be written is an alert, and the next line that can be written says how many are missing. Nothing
//!   stops because of it.
//! - The leader never takes a head that is shorter than the one it remembers.

mod calls;
mod handle;
mod heads;
mod key_news;
mod stages;

pub(crate) use calls::verify;
pub use handle::Audit;
pub(crate) use heads::keep_heads;
pub(crate) use stages::{begin, listen, serve};
