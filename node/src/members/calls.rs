//! Calls to one peer about keys.

use std::future::Future;
use std::time::Duration;

use coffer_proto::internal::v1 as pb;
use coffer_proto::internal::v1::members_client::MembersClient;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::MAX_MESSAGE_BYTES;
use crate::member::Member;
use crate::raft::Route;

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerCallError {
    /// Its address is not known, or cannot be one.
    #[error("{0}")]
    Address(String),
    /// It cannot be reached, or does not answer in time.
    #[error("{0}")]
    Silent(String),
    /// It answered with a refusal.
    #[error("{}: {}", .0.code(), .0.message())]
    Refused(Box<Status>),
}

/// The calls to one peer. Each waits for its answer at most `limit`.
pub struct PeerCall {
    stub: MembersClient<Channel>,
    route: Route,
    limit: Duration,
}

impl PeerCall {
    /// Calls from `member` to its peer `to`.
    ///
    /// # Errors
    /// The peer's address is not known, or cannot be one.
    pub fn new(member: &Member, to: u64, limit: Duration) -> Result<Self, PeerCallError> {
        let peers = member.peers();
        let address = peers.get(&to).ok_or_else(|| {
            PeerCallError::Address(format!("member {to} is not one of the members that are known here"))
        })?;
        let channel = member.peer_channels().get(to, address).map_err(PeerCallError::Address)?;
        let stub = MembersClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Self { stub, route: Route::new(member.identity(), to), limit })
    }

    /// Tells that the key is disabled or being deleted.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn tell_denied(&mut self, fact: pb::DeniedFact) -> Result<(), PeerCallError> {
        let request = self.route.request(fact);
        within(self.limit, self.stub.tell_denied(request)).await.map(drop)
    }

    /// Asks under which customer keys the peer and the cluster are.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn name_key(&mut self) -> Result<pb::NameKeyResponse, PeerCallError> {
        let request = self.route.request(pb::NameKeyRequest {});
        within(self.limit, self.stub.name_key(request)).await
    }

    /// Has the peer try settings against KMS.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn check_kms(
        &mut self,
        request: pb::CheckKmsRequest,
    ) -> Result<pb::CheckKmsResponse, PeerCallError> {
        let request = self.route.request(request);
        within(self.limit, self.stub.check_kms(request)).await
    }

    /// Asks what the peer's keys are.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn report_keys(
        &mut self,
        request: pb::ReportKeysRequest,
    ) -> Result<pb::ReportKeysResponse, PeerCallError> {
        let request = self.route.request(request);
        within(self.limit, self.stub.report_keys(request)).await
    }

    /// Has the peer do a piece of key work.
    ///
    /// # Errors
    /// There was no answer: it may or may not have done it, and its next report says.
    pub async fn do_key_work(&mut self, order: pb::KeyWorkOrder) -> Result<pb::KeyWorkResult, PeerCallError> {
        let request: Request<_> = self.route.request(order);
        within(self.limit, self.stub.do_key_work(request)).await
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, PeerCallError> {
    match timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        // What the transport says of a peer that is away.
        Ok(Err(status)) if status.code() == Code::Unavailable => {
            Err(PeerCallError::Silent(status.message().to_owned()))
        }
        Ok(Err(status)) => Err(PeerCallError::Refused(Box::new(status))),
        Err(_) => Err(PeerCallError::Silent(format!("no answer within {limit:?}"))),
    }
}
