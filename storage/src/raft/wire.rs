//! Between openraft's types and the protobuf records. Decoding refuses what a well-behaved writer cannot have written.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use coffer_proto::internal::v1 as pb;
use openraft::{BasicNode, EntryPayload, vote::RaftLeaderId};
use prost::Message;

use super::{Entry, LeaderId, LogId, Membership, Proposal, StoredMembership, Vote};

/// The format version that this code writes into every record.
pub const FORMAT: u32 = 1;

/// Bytes that are not the record they should be.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not protobuf of this message.
    #[error("{what} cannot be decoded: {source}")]
    Decode {
        /// The record's name.
        what: &'static str,
        /// What prost says.
        source: prost::DecodeError,
    },
    /// Written by a later version.
    #[error("{what} has format version {found}; this program reads up to {FORMAT}: use a newer cofferd")]
    Format {
        /// The record's name.
        what: &'static str,
        /// The version that it claims.
        found: u32,
    },
    /// A field that has to be there is not.
    #[error("{what} lacks {field}")]
    Missing {
        /// The record's name.
        what: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// Fields that contradict each other.
    #[error("{what} is inconsistent: {why}")]
    Inconsistent {
        /// The record's name.
        what: &'static str,
        /// What contradicts what.
        why: String,
    },
}

/// Decodes a record of our own and checks its format version.
///
/// # Errors
/// The bytes are not that record, or of a later version.
pub fn decode<M: Message + Default>(
    what: &'static str,
    bytes: &[u8],
    format: impl Fn(&M) -> u32,
) -> Result<M, WireError> {
    let record = M::decode(bytes).map_err(|source| WireError::Decode { what, source })?;
    check_format(what, format(&record))?;
    Ok(record)
}

/// Refuses format version 0 (a record without one) and versions of the future.
///
/// # Errors
/// The version is not one that this code reads.
pub fn check_format(what: &'static str, found: u32) -> Result<(), WireError> {
    if found == 0 || found > FORMAT {
        return Err(WireError::Format { what, found });
    }
    Ok(())
}

/// To the record.
pub fn log_id_to_pb(id: &LogId) -> pb::RecordLogId {
    pb::RecordLogId { term: *id.leader_id, index: id.index }
}

/// From the record.
pub fn log_id_from_pb(id: &pb::RecordLogId) -> LogId {
    let leader = LeaderId::new(id.term, 0);
    LogId { leader_id: leader.to_committed(), index: id.index }
}

/// To the record.
pub fn vote_to_pb(vote: &Vote) -> pb::RecordVote {
    pb::RecordVote {
        term: vote.leader_id.term,
        member_id: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

/// From the record.
pub fn vote_from_pb(vote: &pb::RecordVote) -> Vote {
    Vote { leader_id: LeaderId::new(vote.term, vote.member_id), committed: vote.committed }
}

/// To the record.
pub fn membership_to_pb(membership: &Membership) -> pb::RecordMembership {
    pb::RecordMembership {
        configs: membership
            .get_joint_config()
            .iter()
            .map(|voters| pb::RecordVoters { ids: voters.iter().copied().collect() })
            .collect(),
        members: membership
            .nodes()
            .map(|(id, node)| pb::RecordMember { id: *id, address: node.addr.clone() })
            .collect(),
    }
}

/// From the record.
///
/// # Errors
/// A voter without an address, or sets that are no membership.
pub fn membership_from_pb(membership: &pb::RecordMembership) -> Result<Membership, WireError> {
    let configs: Vec<BTreeSet<u64>> =
        membership.configs.iter().map(|voters| voters.ids.iter().copied().collect()).collect();
    let nodes: BTreeMap<u64, BasicNode> =
        membership.members.iter().map(|member| (member.id, BasicNode::new(&member.address))).collect();
    Membership::new(configs, nodes)
        .map_err(|error| WireError::Inconsistent { what: "membership", why: error.to_string() })
}

/// To the record.
pub fn stored_membership_to_pb(stored: &StoredMembership) -> pb::RecordStoredMembership {
    pb::RecordStoredMembership {
        format: FORMAT,
        log_id: stored.log_id().as_ref().map(log_id_to_pb),
        membership: Some(membership_to_pb(stored.membership())),
    }
}

/// From the record. The membership of an empty replica set has no configuration.
///
/// # Errors
/// As [`membership_from_pb`], or a version of the future.
pub fn stored_membership_from_pb(stored: &pb::RecordStoredMembership) -> Result<StoredMembership, WireError> {
    const WHAT: &str = "stored membership";
    check_format(WHAT, stored.format)?;
    let membership =
        stored.membership.as_ref().ok_or(WireError::Missing { what: WHAT, field: "membership" })?;
    let membership =
        if membership.configs.is_empty() { Membership::default() } else { membership_from_pb(membership)? };
    Ok(StoredMembership::new(stored.log_id.as_ref().map(log_id_from_pb), membership))
}

/// Encodes a log entry for the log or for a peer.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let payload = match &entry.payload {
        EntryPayload::Blank => pb::log_entry::Payload::Blank(pb::Blank {}),
        EntryPayload::Normal(proposal) => pb::log_entry::Payload::Command(proposal.bytes().clone()),
        EntryPayload::Membership(membership) => {
            pb::log_entry::Payload::Membership(membership_to_pb(membership))
        }
    };
    pb::LogEntry { format: FORMAT, log_id: Some(log_id_to_pb(&entry.log_id)), payload: Some(payload) }
        .encode_to_vec()
}

/// Decodes a log entry.
///
/// # Errors
/// The bytes are not a log entry that this program knows.
pub fn decode_entry(bytes: Bytes) -> Result<Entry, WireError> {
    const WHAT: &str = "log entry";
    let entry = pb::LogEntry::decode(bytes).map_err(|source| WireError::Decode { what: WHAT, source })?;
    check_format(WHAT, entry.format)?;
    let log_id = entry.log_id.as_ref().ok_or(WireError::Missing { what: WHAT, field: "log id" })?;
    let payload = match entry.payload.ok_or(WireError::Missing { what: WHAT, field: "payload" })? {
        pb::log_entry::Payload::Blank(_) => EntryPayload::Blank,
        pb::log_entry::Payload::Command(bytes) => EntryPayload::Normal(Proposal::from_bytes(bytes)),
        pb::log_entry::Payload::Membership(membership) => {
            EntryPayload::Membership(membership_from_pb(&membership)?)
        }
    };
    Ok(Entry { log_id: log_id_from_pb(log_id), payload })
}
