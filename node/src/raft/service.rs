//! Answers the other members.

use std::sync::{Arc, Mutex, PoisonError};

use coffer_proto::internal::v1 as pb;
use coffer_proto::internal::v1::raft_server::Raft as RaftRpc;
use futures::stream::BoxStream;
use openraft::raft::VoteRequest;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{
    convert, receive_append, receive_snapshot,
    route::{Route, RouteError},
};
use crate::member::{Member, NotServing, Serving};
use coffer_storage::raft::TypeConfig;

/// The service `coffer.internal.v1.Raft` of a member.
pub struct RaftService {
    member: Arc<Member>,
    snapshots: SnapshotSlot,
}

/// The place for the one snapshot that is received at a time.
#[derive(Default)]
struct SnapshotSlot {
    current: Mutex<CancellationToken>,
    busy: Arc<tokio::sync::Mutex<()>>,
}

impl RaftService {
    /// The service of `member`.
    pub fn new(member: Arc<Member>) -> Self {
        Self { member, snapshots: SnapshotSlot::default() }
    }

    fn admit<T>(&self, request: &Request<T>) -> Result<u64, Status> {
        admit(&self.member, request)
    }

    fn serving(&self) -> Result<Arc<Serving>, Status> {
        self.member.serving().map_err(|NotServing { state, reason }| {
            Status::unavailable(format!("this member is {state}: {reason}"))
        })
    }

    /// The vote request of a message, if the caller asks for its own vote.
    fn vote_request(&self, from: u64, message: &pb::VoteRequest) -> Result<VoteRequest<TypeConfig>, Status> {
        let request = convert::vote_request_from_pb(message)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        if request.vote.committed || request.vote.leader_id.voted_for != from {
            return Err(Status::failed_precondition("a candidate asks for its own, uncommitted vote"));
        }
        if let Some(stamp) = &message.stamp {
            self.member.note(from, stamp);
        }
        Ok(request)
    }
}

/// Who calls, if the call is for this member: the first thing that every call between members does.
pub(crate) fn admit<T>(member: &Member, request: &Request<T>) -> Result<u64, Status> {
    Route::check(member.identity(), request.metadata()).map_err(|error| {
        tracing::warn!(%error, "a call between members was refused");
        refuse(&error)
    })
}

fn refuse(error: &RouteError) -> Status {
    match error {
        RouteError::Missing(_) | RouteError::OtherCluster { .. } => {
            Status::permission_denied(error.to_string())
        }
        RouteError::OtherMember { .. } | RouteError::SameMember(_) => {
            Status::failed_precondition(error.to_string())
        }
    }
}

#[tonic::async_trait]
impl RaftRpc for RaftService {
    type AppendStream = BoxStream<'static, Result<pb::AppendResponse, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<pb::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let from = self.admit(&request)?;
        let serving = self.serving()?;
        let answers = receive_append::answers(self.member.clone(), &serving.raft, from, request.into_inner());
        Ok(Response::new(answers))
    }

    async fn vote(&self, request: Request<pb::VoteRequest>) -> Result<Response<pb::VoteResponse>, Status> {
        let from = self.admit(&request)?;
        let serving = self.serving()?;
        let request = self.vote_request(from, request.get_ref())?;
        let response = serving.raft.vote(request).await.map_err(|error| stopped(&error))?;
        Ok(Response::new(convert::vote_response_to_pb(&response, self.member.stamp())))
    }

    async fn pre_vote(
        &self,
        request: Request<pb::VoteRequest>,
    ) -> Result<Response<pb::VoteResponse>, Status> {
        let from = self.admit(&request)?;
        let serving = self.serving()?;
        let request = self.vote_request(from, request.get_ref())?;
        let response = serving.raft.pre_vote(request).await.map_err(|error| stopped(&error))?;
        Ok(Response::new(convert::vote_response_to_pb(&response, self.member.stamp())))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<pb::SnapshotMessage>>,
    ) -> Result<Response<pb::SnapshotResponse>, Status> {
        let from = self.admit(&request)?;
        let serving = self.serving()?;
        // A leader that sends again has given up its last try, and a new leader has a newer one: the old one goes.
        let cancel = self.member.draining().child_token();
        let previous = {
            let mut current = self.snapshots.current.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, cancel.clone())
        };
        previous.cancel();
        let place = Arc::new(self.snapshots.busy.clone().lock_owned().await);
        let response = receive_snapshot::receive(
            serving.engine.clone(),
            &serving.raft,
            from,
            request.into_inner(),
            &cancel,
            place,
        )
        .await?;
        Ok(Response::new(response))
    }

    async fn transfer_leader(
        &self,
        request: Request<pb::TransferLeaderRequest>,
    ) -> Result<Response<pb::TransferLeaderResponse>, Status> {
        let from = self.admit(&request)?;
        let serving = self.serving()?;
        let request = convert::transfer_from_pb(request.get_ref())
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let leader = request.from_leader();
        if !leader.committed || leader.leader_id.voted_for != from {
            return Err(Status::failed_precondition("only an elected leader hands leadership over"));
        }
        let result = serving.raft.handle_transfer_leader(request).await.map_err(|error| stopped(&error))?;
        Ok(Response::new(pb::TransferLeaderResponse { accepted: result.is_ok() }))
    }

    async fn recall(
        &self,
        request: Request<pb::RecallRequest>,
    ) -> Result<Response<pb::RecallResponse>, Status> {
        let from = self.admit(&request)?;
        let about = request.get_ref().member_id;
        if about != from {
            return Err(Status::failed_precondition("a member asks what is remembered of itself"));
        }
        Ok(Response::new(self.member.recall(about).into()))
    }
}

fn stopped(error: &dyn std::error::Error) -> Status {
    Status::unavailable(format!("Raft has stopped: {error}"))
}
