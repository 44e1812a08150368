//! Now and then the members are compared: the leader has every member hash one database, and raises an alert where two that
//! stand at the same entry hold different data.
//!
//! Invariants:
//! - Only answers about the same last entry are compared: what is written to while it is hashed differs by right.
//! - Databases are named by their ids: a name is content, and an alert is logged.

mod hashes;
mod task;

pub(crate) use task::compare;
