//! The service `coffer.v1.Admin`.

mod keys;
mod membership;
mod state_hash;
mod status;
mod transfer;

use std::sync::Arc;

use coffer_proto::v1::{self, admin_server::Admin};
use tonic::{Request, Response, Status};

use super::{deadline::Deadline, gate::Gate, request_metrics::observed};
use crate::member::Member;

pub use transfer::{HandOverError, hand_over};

/// Hashes that are made at once: each reads a whole collection.
const MAX_STATE_HASHES: usize = 2;

/// Answers operators.
pub struct AdminService {
    member: Arc<Member>,
    /// Changes of the membership and transfers of leadership, one after the other.
    changes: tokio::sync::Mutex<()>,
    hashes: Gate,
}

impl AdminService {
    /// The service of `member`.
    pub fn new(member: Arc<Member>) -> Self {
        Self {
            member,
            changes: tokio::sync::Mutex::new(()),
            hashes: Gate::new("state_hashes", MAX_STATE_HASHES, MAX_STATE_HASHES),
        }
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(
        &self,
        _request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        observed("Status", async { Ok(status::status(&self.member)) }).await.map(Response::new)
    }

    async fn keys(&self, _request: Request<v1::KeysRequest>) -> Result<Response<v1::KeysResponse>, Status> {
        observed("Keys", async { Ok(keys::keys(&self.member.serving()?)) }).await.map(Response::new)
    }

    async fn transfer_leader(
        &self,
        request: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::TransferLeaderResponse>, Status> {
        observed("TransferLeader", async {
            let deadline = Deadline::of(request.metadata(), self.member.limits())?;
            let to = request.get_ref().to;
            self.change(&deadline, |serving| async move { transfer::transfer(&serving, to, &deadline).await })
                .await
        })
        .await
        .map(Response::new)
    }

    async fn add_member(
        &self,
        request: Request<v1::AddMemberRequest>,
    ) -> Result<Response<v1::AddMemberResponse>, Status> {
        observed("AddMember", async {
            let deadline = Deadline::of(request.metadata(), self.member.limits())?;
            let v1::AddMemberRequest { id, address } = request.into_inner();
            let member = self.member.clone();
            let members = self
                .change(&deadline, |serving| async move {
                    membership::add(&member, &serving, id, address, &deadline).await
                })
                .await?;
            Ok(v1::AddMemberResponse { members })
        })
        .await
        .map(Response::new)
    }

    async fn promote_member(
        &self,
        request: Request<v1::PromoteMemberRequest>,
    ) -> Result<Response<v1::PromoteMemberResponse>, Status> {
        observed("PromoteMember", async {
            let deadline = Deadline::of(request.metadata(), self.member.limits())?;
            let id = request.get_ref().id;
            let members = self
                .change(&deadline, |serving| async move { membership::promote(&serving, id, &deadline).await })
                .await?;
            Ok(v1::PromoteMemberResponse { members })
        })
        .await
        .map(Response::new)
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        observed("RemoveMember", async {
            let deadline = Deadline::of(request.metadata(), self.member.limits())?;
            let id = request.get_ref().id;
            let members = self
                .change(&deadline, |serving| async move { membership::remove(&serving, id, &deadline).await })
                .await?;
            Ok(v1::RemoveMemberResponse { members })
        })
        .await
        .map(Response::new)
    }

    async fn state_hash(
        &self,
        request: Request<v1::StateHashRequest>,
    ) -> Result<Response<v1::StateHashResponse>, Status> {
        observed("StateHash", async {
            let deadline = Deadline::of(request.metadata(), self.member.limits())?;
            let place = self.hashes.enter(0, &deadline).await?;
            state_hash::state_hash(self.member.serving()?, request.into_inner(), place, &deadline).await
        })
        .await
        .map(Response::new)
    }
}
