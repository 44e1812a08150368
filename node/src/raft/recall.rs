//! Asks a peer what it remembers of a member, before Raft runs.

use std::time::Duration;

use coffer_proto::internal::v1 as pb;
use coffer_proto::internal::v1::raft_client::RaftClient;
use tokio::time::timeout;
use tonic::Status;

use super::{channels::lazy_channel, route::Route};
use crate::member::MemberIdentity;

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// The address cannot be one.
    #[error("{0}")]
    Address(String),
    /// The peer cannot be reached, or refuses the call.
    #[error("{}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
    /// No answer within the limit.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// An answer of a later version.
    #[error("its answer is not one that this version knows")]
    Unknown,
}

/// Asks member `peer` at `address` what it remembers of the member of `identity`. Waits at most `limit`.
///
/// # Errors
/// There was no answer.
pub async fn ask_recall(
    identity: &MemberIdentity,
    peer: u64,
    address: &str,
    limit: Duration,
) -> Result<pb::recall_response::Answer, RecallError> {
    let channel = lazy_channel(address).map_err(RecallError::Address)?;
    let request = Route::new(identity, peer).request(pb::RecallRequest { member_id: identity.member_id.0 });
    let mut stub = RaftClient::new(channel);
    let response = timeout(limit, stub.recall(request))
        .await
        .map_err(|_| RecallError::Silent(limit))?
        .map_err(|status| RecallError::Status(Box::new(status)))?;
    response.into_inner().answer.ok_or(RecallError::Unknown)
}
