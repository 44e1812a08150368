//! The client of one peer.

use std::{future::Future, sync::Arc, time::Duration};

use coffer_proto::{internal::v1 as pb, internal::v1::raft_client::RaftClient, wire::MAX_PEER_MESSAGE_BYTES};
use coffer_storage::{
    SnapshotSource,
    raft::{Snapshot, TypeConfig, Vote},
};
use futures::{Stream, StreamExt, stream};
use openraft::{
    OptionalSend,
    base::{BoxFuture, BoxStream},
    errors::{RPCError, ReplicationClosed, StreamingError},
    network::{Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption},
    raft::{
        AppendEntriesRequest, SnapshotResponse, StreamAppendResult, TransferLeaderError,
        TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
    },
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, transport::Channel};

use super::{
    append_exchange::{ANSWER_LIMIT, AppendExchange},
    convert,
    peer_error::PeerError,
    route::Route,
    send_snapshot,
};
use crate::member::Member;

/// How long a stream may take to be opened: a connection, and the answer of a peer that does nothing for it.
const OPEN_LIMIT: Duration = Duration::from_secs(2);

/// Appends that wait for the transport.
const OUTGOING_APPENDS: usize = 2;

/// Pauses before the next tries at a peer that cannot be reached, milliseconds. The last one repeats: a member that is
/// back is noticed within half a second, and one that is away costs two calls a second.
const BACKOFF_MS: [u64; 4] = [50, 100, 200, 400];

/// The client of one peer. It has one connection, which it shares with the clients of the same peer and purpose.
pub struct Peer {
    member: Arc<Member>,
    target: u64,
    route: Route,
    channel: Result<Channel, String>,
}

impl Peer {
    /// A client of member `target`; `channel` is the connection, or why there cannot be one.
    pub(super) fn new(member: Arc<Member>, target: u64, channel: Result<Channel, String>) -> Self {
        let route = Route::new(member.identity(), target);
        Self { member, target, route, channel }
    }

    /// A stub for one call.
    fn stub(&self) -> Result<RaftClient<Channel>, PeerError> {
        let channel = self.channel.clone().map_err(PeerError::Address)?;
        Ok(RaftClient::new(channel)
            .max_decoding_message_size(MAX_PEER_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_PEER_MESSAGE_BYTES))
    }

    async fn ask_vote(
        &self,
        request: VoteRequest<TypeConfig>,
        option: &RPCOption,
        pre_vote: bool,
    ) -> Result<VoteResponse<TypeConfig>, PeerError> {
        let mut stub = self.stub()?;
        let message = convert::vote_request_to_pb(&request, self.member.stamp());
        let request = self.route.request(message);
        let call = async { if pre_vote { stub.pre_vote(request).await } else { stub.vote(request).await } };
        let response = within("vote", option.soft_ttl(), call).await?;
        if let Some(stamp) = &response.stamp {
            self.member.note(self.target, stamp);
        }
        convert::vote_response_from_pb(&response).map_err(|error| PeerError::Nonsense(error.to_string()))
    }

    async fn open_append<S>(&self, input: S) -> Result<AppendExchange<S>, PeerError>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
    {
        self.open_append_within(input, ANSWER_LIMIT).await
    }

    /// Opens a stream whose answers may each take as long as `limit`.
    pub(super) async fn open_append_within<S>(
        &self,
        input: S,
        limit: Duration,
    ) -> Result<AppendExchange<S>, PeerError>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
    {
        let mut stub = self.stub()?;
        let (requests, outgoing) = mpsc::channel::<pb::AppendRequest>(OUTGOING_APPENDS);
        let request = self.route.request(ReceiverStream::new(outgoing));
        let responses = within("answer to the opening of a stream", OPEN_LIMIT, stub.append(request)).await?;
        Ok(AppendExchange::new(self.member.clone(), self.target, input, requests, responses, limit))
    }
}

/// Waits for a call, but not longer than `limit`.
async fn within<T>(
    what: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, PeerError> {
    match timeout(limit, call).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(PeerError::Silent { what, limit }),
    }
}

impl NetStreamAppend<TypeConfig> for Peer {
    /// `option` is made from the interval of heartbeats, which says nothing about how long an append may take: the limits
    /// are those of this module.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<
            BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>,
            RPCError<TypeConfig>,
        >,
    >
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            // openraft pauses between its tries inside the request stream and nowhere else: a peer that is away, called
            // before the first request was taken, would be called again at once, thousands of times a second.
            let mut input = input;
            let Some(first) = input.next().await else {
                return Ok(Box::pin(stream::empty()) as BoxStream<'s, _>);
            };
            let exchange = self.open_append(stream::iter([first]).chain(input)).await?;
            let answers = stream::unfold(Some(exchange), |exchange| async move {
                let mut exchange = exchange?;
                let answer = exchange.next().await?;
                let goes_on = matches!(answer, Ok(Ok(_)));
                Some((answer.map_err(RPCError::from), goes_on.then_some(exchange)))
            });
            let answers: BoxStream<'s, _> = Box::pin(answers);
            Ok(answers)
        })
    }
}

impl NetVote<TypeConfig> for Peer {
    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.ask_vote(request, &option, false).await?)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        Ok(self.ask_vote(request, &option, true).await?)
    }
}

impl NetSnapshot<TypeConfig> for Peer {
    type SnapshotData = SnapshotSource;

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let stub = self.stub()?;
        send_snapshot::send(stub, &self.route, vote, snapshot, cancel).await
    }
}

impl NetTransferLeader<TypeConfig> for Peer {
    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let mut stub = self.stub()?;
        let call = stub.transfer_leader(self.route.request(convert::transfer_to_pb(&request)));
        let response = within("answer to a transfer of leadership", option.soft_ttl(), call).await?;
        if response.accepted {
            return Ok(Ok(()));
        }
        // The message has no room for the reason; openraft logs it and goes on either way.
        Ok(Err(TransferLeaderError::LogNotFlushed { expected: request.last_log_id().copied(), actual: None }))
    }
}

impl NetBackoff<TypeConfig> for Peer {
    fn backoff(&self) -> Option<Backoff> {
        let last = BACKOFF_MS[BACKOFF_MS.len() - 1];
        let pauses = BACKOFF_MS.into_iter().chain(std::iter::repeat(last));
        Some(Backoff::new(pauses.map(Duration::from_millis)))
    }
}
