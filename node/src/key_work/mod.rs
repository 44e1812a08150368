//! What the members do to their keys, one after the other.
//!
//! ```text
//! a call ──► targets    what every member has to have done, as rounds; replicated
//!               │
//! reports ──► plan      the next step; pure
//! ```
//!
//! Invariants:
//! - Nothing about the work is remembered outside the replicated records and the members' own keystores: whoever leads
//!   next goes on from there.

#[allow(dead_code, unused_imports)] // until the coordinator asks it
mod plan;
#[allow(dead_code)] // until what asks for work is there
mod targets;

#[allow(unused_imports)]
pub(crate) use targets::{KeyTargets, TargetsError};
