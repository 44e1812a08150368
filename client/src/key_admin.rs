//! The calls of those who look after keys.
//!
//! Invariants:
//! - What changes the replica set is sent to its leader, and once: where its outcome is not known, that is the error.
//! - What a sealed member answers is asked of that one member, whoever leads.

use std::sync::Arc;

use coffer_proto::v1::key_admin_client::KeyAdminClient;
use coffer_proto::v1::{
    AcknowledgeAlertRequest, Alert, AlertsRequest, AlertsResponse, DeferRotationRequest, KeyWorkRequest,
    KeyWorkResponse, KmsChangeRequest, KmsChangeResponse, KmsOverrideRequest, KmsOverrideResponse,
    KmsShowRequest, KmsShowResponse, RotateDatabaseKeyRequest, RotateMasterKeyRequest, SetEncryptionRequest,
    VerifyAuditRequest, VerifyAuditResponse,
};
use coffer_proto::wire::MAX_CLIENT_MESSAGE_BYTES;
use tonic::transport::Channel;

use crate::call::Caller;
use crate::operation::Plan;
use crate::{Error, Result};

/// Calls that concern keys: the customer's key, rotations, encryption, alerts and the audit log. All of them fail as
/// [`Error`] describes; a refusal has an [`Error::help_code`] where a page explains it.
#[derive(Clone, Debug)]
pub struct KeyAdmin {
    caller: Arc<Caller>,
}

impl KeyAdmin {
    pub(crate) fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }

    /// The settings of the customer's key as one member knows them, and what it uses of them. Sealed members answer,
    /// too. Asked once.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where it does not answer.
    pub async fn kms_show(&self, endpoint: &str) -> Result<KmsShowResponse> {
        let limit = self.caller.options.deadline;
        let send = |channel, request| async move { client(channel).kms_show(request).await };
        self.caller.ask_member(endpoint, limit, KmsShowRequest {}, send).await
    }

    /// Changes the settings of the customer's key, or with `validate_only` tries them. Every member asks KMS for that,
    /// so it takes as long as KMS does. An answer with `accepted` false changed nothing and says what is wrong.
    ///
    /// # Errors
    /// [`Error::Refused`] where it was not even tried.
    pub async fn kms_change(&self, change: KmsChangeRequest) -> Result<KmsChangeResponse> {
        let plan = if change.validate_only { Plan::TRIAL } else { Plan::ADMIN };
        let send = |channel, request| async move { client(channel).kms_change(request).await };
        self.caller.ask_leader(plan, change, send).await
    }

    /// Makes one member use another Region than the settings say (empty: those again), or trust that its keystore's
    /// key is the right one. Sealed members answer, too. Asked once.
    ///
    /// # Errors
    /// [`Error::Refused`] says why it is not possible.
    pub async fn kms_override(
        &self,
        endpoint: &str,
        region: &str,
        trust_cmk_arn: &str,
    ) -> Result<KmsOverrideResponse> {
        let request =
            KmsOverrideRequest { region: region.to_owned(), trust_cmk_arn: trust_cmk_arn.to_owned() };
        let limit = self.caller.options.deadline;
        let send = |channel, request| async move { client(channel).kms_override(request).await };
        self.caller.ask_member(endpoint, limit, request, send).await
    }

    /// Has one member, or all of them one after the other, make a new master key. Returns the number of the round,
    /// which [`KeyAdmin::key_work`] tells the progress of.
    ///
    /// # Errors
    /// [`Error::Refused`] says why it is not possible.
    pub async fn rotate_master_key(&self, member: Option<u64>) -> Result<u64> {
        let request = RotateMasterKeyRequest { member_id: member.unwrap_or_default() };
        let send = |channel, request| async move { client(channel).rotate_master_key(request).await };
        Ok(self.caller.ask_leader(Plan::ADMIN, request, send).await?.round)
    }

    /// Has every member make a new key for a database and rewrite its files. Returns the number of the round.
    ///
    /// # Errors
    /// [`Error::Refused`] says why it is not possible.
    pub async fn rotate_database_key(&self, database: &str) -> Result<u64> {
        let request = RotateDatabaseKeyRequest { database: database.to_owned() };
        let send = |channel, request| async move { client(channel).rotate_database_key(request).await };
        Ok(self.caller.ask_leader(Plan::ADMIN, request, send).await?.round)
    }

    /// Puts the next scheduled rotation of master keys off by `days` from now; 0 takes that back. Returns the date
    /// before which none begins, as RFC 3339.
    ///
    /// # Errors
    /// [`Error::Refused`] says why it is not possible.
    pub async fn defer_rotation(&self, days: u32) -> Result<String> {
        let send = |channel, request| async move { client(channel).defer_rotation(request).await };
        Ok(self.caller.ask_leader(Plan::ADMIN, DeferRotationRequest { days }, send).await?.until)
    }

    /// Has every member rebuild its data sealed or in the clear, one after the other. Returns the number of the round.
    ///
    /// # Errors
    /// [`Error::Refused`] says why it is not possible.
    pub async fn set_encryption(&self, enabled: bool) -> Result<u64> {
        let send = |channel, request| async move { client(channel).set_encryption(request).await };
        Ok(self.caller.ask_leader(Plan::ADMIN, SetEncryptionRequest { enabled }, send).await?.round)
    }

    /// What is being done to keys on all members, as the leader knows it.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where nobody leads.
    pub async fn key_work(&self) -> Result<KeyWorkResponse> {
        let send = |channel, request| async move { client(channel).key_work(request).await };
        self.caller.ask_leader(Plan::READ, KeyWorkRequest {}, send).await
    }

    /// The alerts that one member knows: the open ones, or with `history` also those that are over. Sealed members
    /// answer, too. Asked once.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where it does not answer.
    pub async fn alerts(&self, endpoint: &str, history: bool) -> Result<AlertsResponse> {
        let limit = self.caller.options.deadline;
        let send = |channel, request| async move { client(channel).alerts(request).await };
        self.caller.ask_member(endpoint, limit, AlertsRequest { history }, send).await
    }

    /// Notes at one member that `by` has seen an alert, and returns it. Sealed members answer, too. Asked once.
    ///
    /// # Errors
    /// [`Error::Refused`] where the member knows no such alert.
    pub async fn acknowledge_alert(&self, endpoint: &str, id: &str, by: &str) -> Result<Alert> {
        let request = AcknowledgeAlertRequest { id: id.to_owned(), by: by.to_owned() };
        let limit = self.caller.options.deadline;
        let send = |channel, request| async move { client(channel).acknowledge_alert(request).await };
        let answer = self.caller.ask_member(endpoint, limit, request, send).await?;
        answer.alert.ok_or_else(|| Error::BadAnswer("an acknowledgement without the alert".into()))
    }

    /// Has one member check its audit log. Asked once.
    ///
    /// # Errors
    /// [`Error::Sealed`] where the member has no key to check it with.
    pub async fn verify_audit(&self, endpoint: &str) -> Result<VerifyAuditResponse> {
        let limit = self.caller.options.deadline;
        let send = |channel, request| async move { client(channel).verify_audit(request).await };
        self.caller.ask_member(endpoint, limit, VerifyAuditRequest {}, send).await
    }
}

fn client(channel: Channel) -> KeyAdminClient<Channel> {
    KeyAdminClient::new(channel)
        .max_decoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
}
