//! The service `coffer.v1.KeyAdmin`: the calls of those who look after keys.

use std::sync::Arc;

use coffer_proto::v1::{self, key_admin_server::KeyAdmin};
use tonic::{Request, Response, Status};

use super::{deadline::Deadline, error::ServiceError, request_metrics::observed};
use crate::alerts;
use crate::member::Member;

/// Answers those who look after keys. Each call is a function of the room that it belongs to.
pub struct KeyAdminService {
    member: Arc<Member>,
}

impl KeyAdminService {
    /// The service of `member`.
    pub fn new(member: Arc<Member>) -> Self {
        Self { member }
    }

    #[allow(dead_code)]
    fn deadline<T>(&self, request: &Request<T>) -> Result<Deadline, ServiceError> {
        Ok(Deadline::of(request.metadata(), self.member.limits())?)
    }
}

#[tonic::async_trait]
impl KeyAdmin for KeyAdminService {
    async fn kms_show(
        &self,
        _request: Request<v1::KmsShowRequest>,
    ) -> Result<Response<v1::KmsShowResponse>, Status> {
        Err(Status::unimplemented("KmsShow"))
    }

    async fn kms_change(
        &self,
        _request: Request<v1::KmsChangeRequest>,
    ) -> Result<Response<v1::KmsChangeResponse>, Status> {
        Err(Status::unimplemented("KmsChange"))
    }

    async fn kms_override(
        &self,
        _request: Request<v1::KmsOverrideRequest>,
    ) -> Result<Response<v1::KmsOverrideResponse>, Status> {
        Err(Status::unimplemented("KmsOverride"))
    }

    async fn rotate_master_key(
        &self,
        _request: Request<v1::RotateMasterKeyRequest>,
    ) -> Result<Response<v1::RotateMasterKeyResponse>, Status> {
        Err(Status::unimplemented("RotateMasterKey"))
    }

    async fn rotate_database_key(
        &self,
        _request: Request<v1::RotateDatabaseKeyRequest>,
    ) -> Result<Response<v1::RotateDatabaseKeyResponse>, Status> {
        Err(Status::unimplemented("RotateDatabaseKey"))
    }

    async fn defer_rotation(
        &self,
        _request: Request<v1::DeferRotationRequest>,
    ) -> Result<Response<v1::DeferRotationResponse>, Status> {
        Err(Status::unimplemented("DeferRotation"))
    }

    async fn set_encryption(
        &self,
        _request: Request<v1::SetEncryptionRequest>,
    ) -> Result<Response<v1::SetEncryptionResponse>, Status> {
        Err(Status::unimplemented("SetEncryption"))
    }

    async fn key_work(
        &self,
        _request: Request<v1::KeyWorkRequest>,
    ) -> Result<Response<v1::KeyWorkResponse>, Status> {
        Err(Status::unimplemented("KeyWork"))
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
        Err(Status::unimplemented("VerifyAudit"))
    }
}
