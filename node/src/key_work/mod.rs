//! What the members do to their keys, one after the other.
//!
//! ```text
//! a call ──► targets    what every member has to have done, as rounds; replicated
//!               │
//! reports ──► plan      the next step; pure
//!               │
//!            coordinator    on the leader: asks, decides, orders
//!               │ order
//!            worker     on each member: one piece of work at a time
//! ```
//!
//! Invariants:
//! - Nothing about the work is remembered outside the replicated records and the members' own keystores: whoever leads
//!   next goes on from there.
//! - At most one member works at a time.

mod coordinator;
mod desk;
mod do_work;
mod memory;
mod observe;
mod plan;
mod raise;
mod report;
mod requests;
mod room;
mod targets;
mod worker;

pub(crate) use coordinator::coordinate;
pub(crate) use desk::KeyWork;
pub(crate) use do_work::do_key_work;
pub(crate) use report::{may_turn_off, report_keys};
pub(crate) use requests::{KeyRequest, defer, key_work, request};
pub(crate) use targets::{KeyTargets, TargetsError};
