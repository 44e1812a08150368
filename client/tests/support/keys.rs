//! The key service of the member: it answers what a test put there, and remembers what it was asked.

use coffer_proto::v1::key_admin_server::KeyAdmin;
use coffer_proto::v1::*;
use tonic::{Request, Response, Status};

use super::FakeMember;

/// One call that arrived.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyCall {
    Show,
    Change(KmsChangeRequest),
    Override(KmsOverrideRequest),
    RotateMaster(RotateMasterKeyRequest),
    RotateDatabase(RotateDatabaseKeyRequest),
    Defer(DeferRotationRequest),
    SetEncryption(SetEncryptionRequest),
    Work,
    Alerts(AlertsRequest),
    Acknowledge(AcknowledgeAlertRequest),
    VerifyAudit,
}

/// What the key service answers, and what it was asked.
#[derive(Debug, Default)]
pub struct FakeKeys {
    pub show: KmsShowResponse,
    pub change: KmsChangeResponse,
    pub over: KmsOverrideResponse,
    /// One answer a call; the last one stays.
    pub work: Vec<KeyWorkResponse>,
    pub alerts: AlertsResponse,
    pub audit: VerifyAuditResponse,
    /// Answers of the next calls that change something, instead of success.
    pub refuse: Option<Status>,
    pub calls: Vec<KeyCall>,
}

impl FakeMember {
    /// Sets what the key service answers.
    pub fn set_keys(&self, change: impl FnOnce(&mut FakeKeys)) {
        change(&mut self.keys().lock().unwrap());
    }

    /// The calls of the key service that arrived since this was asked last.
    pub fn key_calls(&self) -> Vec<KeyCall> {
        std::mem::take(&mut self.keys().lock().unwrap().calls)
    }

    fn answer<T>(&self, call: KeyCall, get: impl FnOnce(&mut FakeKeys) -> T) -> Result<Response<T>, Status> {
        let mut keys = self.keys().lock().unwrap();
        keys.calls.push(call);
        Ok(Response::new(get(&mut keys)))
    }

    /// As [`FakeMember::answer`], unless the member is told to refuse or does not lead.
    fn lead<T>(&self, call: KeyCall, get: impl FnOnce(&mut FakeKeys) -> T) -> Result<Response<T>, Status> {
        self.leads()?;
        if let Some(status) = self.keys().lock().unwrap().refuse.clone() {
            return Err(status);
        }
        self.answer(call, get)
    }
}

#[tonic::async_trait]
impl KeyAdmin for FakeMember {
    async fn kms_show(&self, _: Request<KmsShowRequest>) -> Result<Response<KmsShowResponse>, Status> {
        self.answer(KeyCall::Show, |keys| keys.show.clone())
    }

    async fn kms_change(
        &self,
        request: Request<KmsChangeRequest>,
    ) -> Result<Response<KmsChangeResponse>, Status> {
        self.lead(KeyCall::Change(request.into_inner()), |keys| keys.change.clone())
    }

    async fn kms_override(
        &self,
        request: Request<KmsOverrideRequest>,
    ) -> Result<Response<KmsOverrideResponse>, Status> {
        self.answer(KeyCall::Override(request.into_inner()), |keys| keys.over.clone())
    }

    async fn rotate_master_key(
        &self,
        request: Request<RotateMasterKeyRequest>,
    ) -> Result<Response<RotateMasterKeyResponse>, Status> {
        let call = KeyCall::RotateMaster(request.into_inner());
        self.lead(call, |_| RotateMasterKeyResponse { round: 7 })
    }

    async fn rotate_database_key(
        &self,
        request: Request<RotateDatabaseKeyRequest>,
    ) -> Result<Response<RotateDatabaseKeyResponse>, Status> {
        let call = KeyCall::RotateDatabase(request.into_inner());
        self.lead(call, |_| RotateDatabaseKeyResponse { round: 3 })
    }

    async fn defer_rotation(
        &self,
        request: Request<DeferRotationRequest>,
    ) -> Result<Response<DeferRotationResponse>, Status> {
        let call = KeyCall::Defer(request.into_inner());
        self.lead(call, |_| DeferRotationResponse { until: "2026-12-01T00:00:00Z".into() })
    }

    async fn set_encryption(
        &self,
        request: Request<SetEncryptionRequest>,
    ) -> Result<Response<SetEncryptionResponse>, Status> {
        self.lead(KeyCall::SetEncryption(request.into_inner()), |_| SetEncryptionResponse { round: 2 })
    }

    async fn key_work(&self, _: Request<KeyWorkRequest>) -> Result<Response<KeyWorkResponse>, Status> {
        self.leads()?;
        self.answer(KeyCall::Work, |keys| match keys.work.len() {
            0 => KeyWorkResponse::default(),
            1 => keys.work[0].clone(),
            _ => keys.work.remove(0),
        })
    }

    async fn alerts(&self, request: Request<AlertsRequest>) -> Result<Response<AlertsResponse>, Status> {
        self.answer(KeyCall::Alerts(request.into_inner()), |keys| keys.alerts.clone())
    }

    async fn acknowledge_alert(
        &self,
        request: Request<AcknowledgeAlertRequest>,
    ) -> Result<Response<AcknowledgeAlertResponse>, Status> {
        let request = request.into_inner();
        self.answer(KeyCall::Acknowledge(request.clone()), |keys| {
            let found = keys.alerts.alerts.iter().find(|alert| alert.id == request.id).cloned();
            found.map(|alert| AcknowledgeAlertResponse {
                alert: Some(Alert {
                    acknowledged: "2026-11-24T10:00:00Z".into(),
                    acknowledged_by: request.by,
                    ..alert
                }),
            })
        })?
        .into_inner()
        .map(Response::new)
        .ok_or_else(|| super::failure(tonic::Code::NotFound, "REFUSED", &[]))
    }

    async fn verify_audit(
        &self,
        _: Request<VerifyAuditRequest>,
    ) -> Result<Response<VerifyAuditResponse>, Status> {
        self.answer(KeyCall::VerifyAudit, |keys| keys.audit.clone())
    }
}
