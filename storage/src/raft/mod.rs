//! openraft's types, and their conversion to the records of `coffer-proto`.
//!
//! openraft is an alpha: its types stay in this module, in the log, in the state machine, and in the raft module of the
//! daemon. Everything that is kept or sent is a protobuf message of our own, never a serialisation of openraft's types.

mod outcome;
mod proposal;
mod types;
pub mod wire;

pub use outcome::Outcome;
pub use proposal::Proposal;
pub use types::{
    Entry, LeaderId, LogId, Membership, Raft, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, Vote,
};
