//! The service `coffer.v1.Admin`.

mod keys;
mod membership;
mod state_hash;
mod status;
mod transfer;

pub(crate) use state_hash::hash_message;
pub(crate) use transfer::{HandOverError, denied_members, hand_over};

use std::{future::Future, sync::Arc};

use coffer_proto::v1::{self, admin_server::Admin};
use tokio::time::timeout_at;
use tonic::{Request, Response, Status};

use super::{
    command::detached,
    deadline::Deadline,
    error::ServiceError,
    gate::{Gate, Place},
    request_metrics::observed,
};
use crate::member::{Member, Serving};

/// Hashes that are made at once: each reads a whole collection.
const MAX_STATE_HASHES: usize = 2;

/// Answers operators.
pub struct AdminService {
    member: Arc<Member>,
    /// Changes of the membership and transfers of leadership, one after the other.
    changes: Arc<tokio::sync::Mutex<()>>,
    hashes: Gate,
}

impl AdminService {
    /// The service of `member`.
    pub fn new(member: Arc<Member>) -> Self {
        Self {
            member,
            changes: Arc::default(),
            hashes: Gate::new("state_hashes", MAX_STATE_HASHES, MAX_STATE_HASHES),
        }
    }

    fn deadline<T>(&self, request: &Request<T>) -> Result<Deadline, ServiceError> {
        Ok(Deadline::of(request.metadata(), self.member.limits())?)
    }

    /// Runs a change alone, and to its end: one that stops half-way because its client went away would leave the set
    /// between two memberships.
    async fn change<T, F>(
        &self,
        deadline: &Deadline,
        change: impl FnOnce(Arc<Serving>) -> F,
    ) -> Result<T, ServiceError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    {
        let serving = self.member.serving()?;
        let turn = timeout_at(deadline.at(), self.changes.clone().lock_owned()).await.map_err(|_| {
            ServiceError::Membership(
                "another change of the replica set is under way; try again later".to_owned(),
            )
        })?;
        let change = change(serving);
        detached(async move {
            let _turn = turn;
            change.await
        })
        .await
    }

    async fn hand_over(&self, request: Request<v1::TransferLeaderRequest>) -> Result<u64, ServiceError> {
        let deadline = self.deadline(&request)?;
        let to = request.get_ref().to;
        let run = move |serving| async move { transfer::transfer(serving, to, deadline).await };
        self.change(&deadline, run).await
    }

    async fn add(&self, request: Request<v1::AddMemberRequest>) -> Result<Vec<v1::Member>, ServiceError> {
        let deadline = self.deadline(&request)?;
        let v1::AddMemberRequest { id, address } = request.into_inner();
        let member = self.member.clone();
        let run =
            move |serving| async move { membership::add(&member, serving, id, address, deadline).await };
        self.change(&deadline, run).await
    }

    async fn promote(
        &self,
        request: Request<v1::PromoteMemberRequest>,
    ) -> Result<Vec<v1::Member>, ServiceError> {
        let deadline = self.deadline(&request)?;
        let id = request.get_ref().id;
        let run = move |serving| async move { membership::promote(serving, id, deadline).await };
        self.change(&deadline, run).await
    }

    async fn remove(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Vec<v1::Member>, ServiceError> {
        let deadline = self.deadline(&request)?;
        let id = request.get_ref().id;
        let run = move |serving| async move { membership::remove(serving, id, deadline).await };
        self.change(&deadline, run).await
    }

    async fn hash(
        &self,
        request: Request<v1::StateHashRequest>,
    ) -> Result<v1::StateHashResponse, ServiceError> {
        let deadline = self.deadline(&request)?;
        let serving = self.member.serving()?;
        let place: Place = self.hashes.enter(0, &deadline).await?;
        state_hash::state_hash(serving, request.into_inner(), place, &deadline).await
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(
        &self,
        _request: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        observed("Status", async { Ok(status::status(&self.member)) }).await
    }

    async fn keys(&self, _request: Request<v1::KeysRequest>) -> Result<Response<v1::KeysResponse>, Status> {
        observed("Keys", async { Ok(keys::keys(&*self.member.serving()?)) }).await
    }

    async fn transfer_leader(
        &self,
        request: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::TransferLeaderResponse>, Status> {
        observed("TransferLeader", async {
            let leader_id = self.hand_over(request).await?;
            Ok(v1::TransferLeaderResponse { leader_id })
        })
        .await
    }

    async fn add_member(
        &self,
        request: Request<v1::AddMemberRequest>,
    ) -> Result<Response<v1::AddMemberResponse>, Status> {
        observed("AddMember", async { Ok(v1::AddMemberResponse { members: self.add(request).await? }) }).await
    }

    async fn promote_member(
        &self,
        request: Request<v1::PromoteMemberRequest>,
    ) -> Result<Response<v1::PromoteMemberResponse>, Status> {
        observed("PromoteMember", async {
            Ok(v1::PromoteMemberResponse { members: self.promote(request).await? })
        })
        .await
    }

    async fn remove_member(
        &self,
        request: Request<v1::RemoveMemberRequest>,
    ) -> Result<Response<v1::RemoveMemberResponse>, Status> {
        observed("RemoveMember", async {
            Ok(v1::RemoveMemberResponse { members: self.remove(request).await? })
        })
        .await
    }

    async fn state_hash(
        &self,
        request: Request<v1::StateHashRequest>,
    ) -> Result<Response<v1::StateHashResponse>, Status> {
        observed("StateHash", self.hash(request)).await
    }
}
