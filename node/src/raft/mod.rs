//! Raft between the members of a replica set, over gRPC.
//!
//! [`Network`] is what openraft calls others with, [`RaftService`] what answers them. Both translate openraft's types into
//! the messages of `coffer.internal.v1` and back; nothing of openraft is sent as it is.
//!
//! Invariants:
//! - Every call names the replica set, the caller and the called member, and is refused before anything else is read if
//!   one of them is not what the called member knows: two sets, or a directory in the wrong place, never mix.
//! - A transport error is an error: never a vote, never an acknowledgement.
//! - Answers come in the order of their requests, and a stream with anything unexpected in it ends: there is no state in
//!   which an answer could be taken for that of another request.
//! - Every wait on a peer ends: opening, each answer, each piece of a snapshot, its installation.
//! - Nothing is passed to openraft that a member that follows the protocol cannot have sent: openraft panics on some of
//!   it.

mod append_check;
mod append_exchange;
mod channels;
mod convert;
mod network;
mod peer;
mod peer_error;
mod purpose;
mod recall;
mod receive_append;
mod receive_snapshot;
mod route;
mod send_snapshot;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use channels::lazy_channel;
pub use network::Network;
pub use peer::Peer;
pub use recall::{RecallError, ask_recall};
pub use route::{Route, RouteError};
pub use service::RaftService;
pub(crate) use service::admit;

use std::sync::Arc;

use coffer_proto::{internal::v1::raft_server::RaftServer, wire::MAX_PEER_MESSAGE_BYTES};

use crate::member::Member;

/// The service that answers the other members, with its limits.
pub fn server(member: Arc<Member>) -> RaftServer<RaftService> {
    RaftServer::new(RaftService::new(member))
        .max_decoding_message_size(MAX_PEER_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_PEER_MESSAGE_BYTES)
}
