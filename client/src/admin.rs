//! The calls of operators.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffer_proto::v1::admin_client::AdminClient;
use coffer_proto::v1::{
    AddMemberRequest, KeysRequest, KeysResponse, Member, PromoteMemberRequest, RemoveMemberRequest,
    StateHashRequest, StateHashResponse, StatusResponse, TransferLeaderRequest,
};
use coffer_proto::wire::MAX_CLIENT_MESSAGE_BYTES;
use futures::future::join_all;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::call::Caller;
use crate::member_call::member_error;
use crate::operation::Plan;
use crate::topology::{best_informed, normalize};
use crate::{EndpointFailure, Result};

/// How long one member is given to say how it is: it does nothing but look.
const STATUS_LIMIT: Duration = Duration::from_secs(3);

/// What one member said of itself, or why it did not.
#[derive(Clone, Debug)]
pub struct MemberReport {
    /// Its address, as the driver knows it.
    pub endpoint: String,
    /// Its answer.
    pub status: Result<StatusResponse, EndpointFailure>,
}

/// Calls that concern members rather than documents. All of them fail as [`crate::Error`] describes.
#[derive(Clone, Debug)]
pub struct Admin {
    caller: Arc<Caller>,
}

impl Admin {
    pub(crate) fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }

    /// The members known now, as `host:port`: those that were configured, then those that were learned.
    pub fn endpoints(&self) -> Vec<String> {
        self.caller.topology().addresses()
    }

    /// What one member is doing. Sealed members answer, too. Asked once.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] where it does not answer.
    pub async fn status(&self, endpoint: &str) -> Result<StatusResponse> {
        let address = normalize(endpoint)?;
        let limit = self.caller.options.deadline.min(STATUS_LIMIT);
        let started = Instant::now();
        let answer = self.caller.status_of(&address, limit).await;
        answer.map_err(|failure| member_error(&address, started, failure))
    }

    /// What every member is doing: each configured endpoint, and each member that those name and nobody
    /// configured. Asked once and all together.
    pub async fn status_all(&self) -> Vec<MemberReport> {
        let mut reports: Vec<MemberReport> = Vec::new();
        // The second round asks those that the first one named.
        for _ in 0..2 {
            let new: Vec<String> = self
                .endpoints()
                .into_iter()
                .filter(|address| reports.iter().all(|report| report.endpoint != *address))
                .collect();
            if new.is_empty() {
                break;
            }
            reports.extend(join_all(new.into_iter().map(|endpoint| self.report(endpoint))).await);
            let answers: Vec<_> = reports
                .iter()
                .filter_map(|report| Some((report.endpoint.clone(), report.status.as_ref().ok()?.clone())))
                .collect();
            let mut topology = self.caller.topology();
            for (address, status) in &answers {
                topology.observe(address, status);
            }
            if let Some((_, best)) = best_informed(&answers) {
                topology.learn_members(best);
            }
        }
        reports
    }

    async fn report(&self, endpoint: String) -> MemberReport {
        let limit = self.caller.options.deadline.min(STATUS_LIMIT);
        let status = self.caller.status_of(&endpoint, limit).await;
        MemberReport { status: status.map_err(|failure| failure.of(&endpoint)), endpoint }
    }

    /// The key hierarchy of one member, without any key. Asked once.
    ///
    /// # Errors
    /// [`crate::Error::Sealed`] where the member has no keys to speak of.
    pub async fn keys(&self, endpoint: &str) -> Result<KeysResponse> {
        self.ask(endpoint, KeysRequest {}, |mut client, request| async move { client.keys(request).await })
            .await
    }

    /// Hashes a collection (empty name: all of the database's) on one member, once that has applied the log
    /// through `at_least_index`. Asked once.
    ///
    /// # Errors
    /// [`crate::Error::Unreachable`] where it does not answer in time.
    pub async fn state_hash(
        &self,
        endpoint: &str,
        database: &str,
        collection: &str,
        at_least_index: u64,
    ) -> Result<StateHashResponse> {
        let request = StateHashRequest {
            database: database.to_owned(),
            collection: collection.to_owned(),
            at_least_index,
        };
        self.ask(endpoint, request, |mut client, request| async move { client.state_hash(request).await })
            .await
    }

    /// Hands leadership to member `to`, or to the voter that is furthest. Returns the id of the new leader.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] says why it is not possible.
    pub async fn transfer_leader(&self, to: Option<u64>) -> Result<u64> {
        let request = TransferLeaderRequest { to: to.unwrap_or_default() };
        let answer = self
            .lead(request, |mut client, request| async move { client.transfer_leader(request).await })
            .await?;
        Ok(answer.leader_id)
    }

    /// Adds a member that receives the data but does not vote. Returns all members.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] says why it is not possible.
    pub async fn add_member(&self, id: u64, address: &str) -> Result<Vec<Member>> {
        let request = AddMemberRequest { id, address: normalize(address)? };
        let answer =
            self.lead(request, |mut client, request| async move { client.add_member(request).await }).await?;
        Ok(answer.members)
    }

    /// Makes a member that has caught up a voter. Returns all members.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] says why it is not possible.
    pub async fn promote_member(&self, id: u64) -> Result<Vec<Member>> {
        let request = PromoteMemberRequest { id };
        let answer = self
            .lead(request, |mut client, request| async move { client.promote_member(request).await })
            .await?;
        Ok(answer.members)
    }

    /// Removes a member for good. Returns the members that are left.
    ///
    /// # Errors
    /// [`crate::Error::Refused`] says why it is not possible.
    pub async fn remove_member(&self, id: u64) -> Result<Vec<Member>> {
        let request = RemoveMemberRequest { id };
        let answer = self
            .lead(request, |mut client, request| async move { client.remove_member(request).await })
            .await?;
        Ok(answer.members)
    }

    /// Asks the leader, once.
    async fn lead<Q, T, F, Fut>(&self, message: Q, send: F) -> Result<T>
    where
        Q: Clone,
        F: Fn(AdminClient<Channel>, tonic::Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.caller.ask_leader(Plan::ADMIN, message, |channel, request| send(admin(channel), request)).await
    }

    /// Asks one member, once.
    async fn ask<Q, T, F, Fut>(&self, endpoint: &str, message: Q, send: F) -> Result<T>
    where
        F: FnOnce(AdminClient<Channel>, tonic::Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let limit = self.caller.options.deadline;
        self.caller
            .ask_member(endpoint, limit, message, |channel, request| send(admin(channel), request))
            .await
    }
}

fn admin(channel: Channel) -> AdminClient<Channel> {
    AdminClient::new(channel)
        .max_decoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
}
