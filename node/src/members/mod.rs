//! What members say to each other about their keys: the service `coffer.internal.v1.Members` and its client.
//!
//! Invariants:
//! - Every call names the replica set, the caller and the called member, and is refused before anything else is read if one
//!   of them is not what the called member knows.
//! - Every call to a peer has a limit in time.
//! - No key is ever in a message.

mod calls;
mod peer_channels;
mod service;

pub use calls::{PeerCall, PeerCallError};
pub use peer_channels::PeerChannels;
pub use service::MembersService;

use std::sync::Arc;

use coffer_proto::internal::v1::members_server::MembersServer;

use crate::member::Member;

/// Largest message of this service: reports and settings are a few KiB.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The service that answers the other members about keys, with its limits.
pub fn server(member: Arc<Member>) -> MembersServer<MembersService> {
    MembersServer::new(MembersService::new(member))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}
