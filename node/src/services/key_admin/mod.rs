//! The service `coffer.v1.KeyAdmin`: the calls of those who look after keys.

use std::sync::Arc;

use coffer_proto::v1::{self, key_admin_server::KeyAdmin};
use tonic::{Request, Response, Status};

use super::{
    command::detached, deadline::Deadline, error::ServiceError, gate::Gate, request_metrics::observed,
};
use crate::key;
use crate::key_settings;
use crate::key_work::{self, KeyRequest};
use crate::member::Member;
use crate::{alerts, audit};

/// Changes of the settings that wait for the one that is under way; each has every member ask KMS.
const MAX_QUEUED_CHANGES: usize = 8;

/// Answers those who look after keys. Each call is a function of the room that it belongs to.
pub struct KeyAdminService {
    member: Arc<Member>,
    /// Changes of the settings, one after the other.
    changes: Gate,
    /// Choices of an operator for this member, one after the other.
    choices: tokio::sync::Mutex<()>,
    /// Each reads a whole audit log: one at a time.
    verifications: tokio::sync::Mutex<()>,
}

impl KeyAdminService {
    /// The service of `member`.
    pub fn new(member: Arc<Member>) -> Self {
        Self {
            member,
            changes: Gate::new("settings_changes", 1, MAX_QUEUED_CHANGES),
            choices: tokio::sync::Mutex::default(),
            verifications: tokio::sync::Mutex::default(),
        }
    }

    fn deadline<T>(&self, request: &Request<T>) -> Result<Deadline, ServiceError> {
        Ok(Deadline::of(request.metadata(), self.member.limits())?)
    }

    async fn key_request<T>(&self, call: &Request<T>, request: KeyRequest) -> Result<u64, ServiceError> {
        let deadline = self.deadline(call)?;
        key_work::request(&self.member, &self.member.serving()?, request, &deadline).await
    }
}

impl KeyAdminService {
    /// Makes a change alone, and to its end, also where its client goes away.
    async fn change_settings(
        &self,
        request: Request<v1::KmsChangeRequest>,
    ) -> Result<v1::KmsChangeResponse, ServiceError> {
        let deadline = self.deadline(&request)?;
        let serving = self.member.serving()?;
        let place = self.changes.enter(0, &deadline).await?;
        let (member, request) = (self.member.clone(), request.into_inner());
        detached(async move {
            let _place = place;
            key_settings::change(&member, &serving, request, &deadline).await
        })
        .await
    }
}

#[tonic::async_trait]
impl KeyAdmin for KeyAdminService {
    async fn kms_show(
        &self,
        _request: Request<v1::KmsShowRequest>,
    ) -> Result<Response<v1::KmsShowResponse>, Status> {
        observed("KmsShow", async { Ok(key_settings::show(&self.member)) }).await
    }

    async fn kms_change(
        &self,
        request: Request<v1::KmsChangeRequest>,
    ) -> Result<Response<v1::KmsChangeResponse>, Status> {
        observed("KmsChange", self.change_settings(request)).await
    }

    async fn kms_override(
        &self,
        request: Request<v1::KmsOverrideRequest>,
    ) -> Result<Response<v1::KmsOverrideResponse>, Status> {
        let _turn = self.choices.lock().await;
        key::kms_override(&self.member, request.into_inner()).await.map(Response::new)
    }

    async fn rotate_master_key(
        &self,
        request: Request<v1::RotateMasterKeyRequest>,
    ) -> Result<Response<v1::RotateMasterKeyResponse>, Status> {
        observed("RotateMasterKey", async {
            let member = Some(request.get_ref().member_id).filter(|id| *id != 0);
            let round = self.key_request(&request, KeyRequest::Master { member }).await?;
            Ok(v1::RotateMasterKeyResponse { round })
        })
        .await
    }

    async fn rotate_database_key(
        &self,
        request: Request<v1::RotateDatabaseKeyRequest>,
    ) -> Result<Response<v1::RotateDatabaseKeyResponse>, Status> {
        observed("RotateDatabaseKey", async {
            let name = request.get_ref().database.clone();
            let round = self.key_request(&request, KeyRequest::Database { name }).await?;
            Ok(v1::RotateDatabaseKeyResponse { round })
        })
        .await
    }

    async fn defer_rotation(
        &self,
        request: Request<v1::DeferRotationRequest>,
    ) -> Result<Response<v1::DeferRotationResponse>, Status> {
        observed("DeferRotation", async {
            let deadline = self.deadline(&request)?;
            let (serving, days) = (self.member.serving()?, request.get_ref().days);
            let until = key_work::defer(&self.member, &serving, days, &deadline).await?;
            Ok(v1::DeferRotationResponse { until })
        })
        .await
    }

    async fn set_encryption(
        &self,
        request: Request<v1::SetEncryptionRequest>,
    ) -> Result<Response<v1::SetEncryptionResponse>, Status> {
        observed("SetEncryption", async {
            let enabled = request.get_ref().enabled;
            let round = self.key_request(&request, KeyRequest::Encryption { enabled }).await?;
            Ok(v1::SetEncryptionResponse { round })
        })
        .await
    }

    async fn key_work(
        &self,
        _request: Request<v1::KeyWorkRequest>,
    ) -> Result<Response<v1::KeyWorkResponse>, Status> {
        observed("KeyWork", async { key_work::key_work(&self.member, &self.member.serving()?).await }).await
    }

    async fn alerts(
        &self,
        request: Request<v1::AlertsRequest>,
    ) -> Result<Response<v1::AlertsResponse>, Status> {
        observed("Alerts", async { Ok(alerts::list(&self.member, request.get_ref()).await) }).await
    }

    async fn acknowledge_alert(
        &self,
        request: Request<v1::AcknowledgeAlertRequest>,
    ) -> Result<Response<v1::AcknowledgeAlertResponse>, Status> {
        observed("AcknowledgeAlert", alerts::acknowledge(&self.member, request.into_inner())).await
    }

    async fn verify_audit(
        &self,
        _request: Request<v1::VerifyAuditRequest>,
    ) -> Result<Response<v1::VerifyAuditResponse>, Status> {
        let _turn = self.verifications.lock().await;
        observed("VerifyAudit", audit::verify(&self.member)).await
    }
}
