//! The choices that openraft leaves to us.

use crate::state_machine::{SnapshotSource, StateMachine};

use super::{Outcome, Proposal};

openraft::declare_raft_types!(
    /// Members are numbered, and a node is its `host:port`. One leader per term, as in the Raft paper: log ids are then
    /// (term, index), which is what our records hold.
    pub TypeConfig:
        D = Proposal,
        R = Outcome,
        NodeId = u64,
        Node = openraft::BasicNode,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
);

/// Who leads in which term.
pub type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>;
/// A vote, or, committed, an elected leader.
pub type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
/// Term and index of a log entry.
pub type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
/// A log entry.
pub type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
/// Voters and learners.
pub type Membership = openraft::Membership<u64, openraft::BasicNode>;
/// A membership with the log id of its entry.
pub type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
/// What a snapshot says of itself.
pub type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
/// A snapshot with its data.
pub type Snapshot = openraft::type_config::alias::SnapshotOf<TypeConfig, SnapshotSource>;
/// The handle of a running Raft.
pub type Raft = openraft::Raft<TypeConfig, StateMachine>;
