//! A peer that does what a test wants.

use std::{sync::Arc, time::Duration};

use coffer_keyring::{ClusterId, MemberId};
use coffer_proto::internal::v1::{
    self as pb,
    raft_server::{Raft, RaftServer},
};
use futures::{StreamExt, stream::BoxStream};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};

use crate::key::KeyAccess;
use crate::member::{Limits, Member, MemberIdentity};
use crate::raft::{Peer, channels::lazy_channel};

type Answer = pb::append_response::Result;

/// What a fake peer does with the n-th append of a stream.
pub type Behaviour = fn(usize, pb::AppendRequest) -> Does;

/// What a fake peer does.
pub enum Does {
    Answer(Answer),
    Ends,
    IsSilent,
}

struct FakePeer(Behaviour);

/// Starts a fake peer and makes a client of it; the client's member has no log.
pub async fn fake_peer(behaviour: Behaviour) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = Server::builder().add_service(RaftServer::new(FakePeer(behaviour)));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Peer::new(member(), 2, lazy_channel(&address))
}

/// A client of an address where nobody listens.
pub async fn absent_peer() -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    Peer::new(member(), 2, lazy_channel(&address))
}

fn member() -> Arc<Member> {
    let identity = MemberIdentity {
        cluster_id: ClusterId::generate(),
        member_id: MemberId(1),
        address: "127.0.0.1:1".to_owned(),
    };
    let limits = Limits {
        max_concurrent_writes: 1,
        max_queued_writes: 1,
        max_concurrent_reads: 1,
        max_queued_reads: 1,
        max_open_cursors: 1,
        default_deadline: Duration::from_secs(1),
        max_deadline: Duration::from_secs(1),
    };
    Member::new(identity, limits, KeyAccess::off())
}

#[tonic::async_trait]
impl Raft for FakePeer {
    type AppendStream = BoxStream<'static, Result<pb::AppendResponse, Status>>;

    async fn append(
        &self,
        request: Request<Streaming<pb::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let behaviour = self.0;
        let answers = request.into_inner().enumerate().then(move |(number, message)| async move {
            match behaviour(number, message?) {
                Does::Answer(result) => Ok(Some(pb::AppendResponse { result: Some(result), stamp: None })),
                Does::Ends => Ok(None),
                Does::IsSilent => std::future::pending().await,
            }
        });
        let answers = answers.take_while(|answer| {
            let goes_on = !matches!(answer, Ok(None));
            async move { goes_on }
        });
        Ok(Response::new(answers.filter_map(|answer| async move { answer.transpose() }).boxed()))
    }

    async fn vote(&self, _: Request<pb::VoteRequest>) -> Result<Response<pb::VoteResponse>, Status> {
        Ok(Response::new(pb::VoteResponse::default()))
    }

    async fn pre_vote(&self, _: Request<pb::VoteRequest>) -> Result<Response<pb::VoteResponse>, Status> {
        std::future::pending().await
    }

    async fn snapshot(
        &self,
        _: Request<Streaming<pb::SnapshotMessage>>,
    ) -> Result<Response<pb::SnapshotResponse>, Status> {
        std::future::pending().await
    }

    async fn transfer_leader(
        &self,
        _: Request<pb::TransferLeaderRequest>,
    ) -> Result<Response<pb::TransferLeaderResponse>, Status> {
        Ok(Response::new(pb::TransferLeaderResponse { accepted: false }))
    }

    async fn recall(&self, _: Request<pb::RecallRequest>) -> Result<Response<pb::RecallResponse>, Status> {
        Ok(Response::new(pb::RecallResponse::default()))
    }
}
