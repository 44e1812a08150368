//! Answers the other members about keys.

use std::sync::Arc;

use coffer_proto::internal::v1 as pb;
use coffer_proto::internal::v1::members_server::Members;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::key;
use crate::key_settings::check_kms;
use crate::key_work;
use crate::member::{Member, NotServing};
use crate::raft::admit;

/// The service `coffer.internal.v1.Members` of a member. Each call is a function of the room that it belongs to.
pub struct MembersService {
    member: Arc<Member>,
    checks: Semaphore,
}

/// Settings that are tried at once. A leader tries one change after the other, so a second one is another leader's.
const MAX_CHECKS: usize = 2;

impl MembersService {
    /// The service of `member`.
    pub fn new(member: Arc<Member>) -> Self {
        Self { member, checks: Semaphore::new(MAX_CHECKS) }
    }
}

fn not_serving(refusal: NotServing) -> Status {
    Status::unavailable(refusal.to_string())
}

#[tonic::async_trait]
impl Members for MembersService {
    async fn tell_denied(
        &self,
        request: Request<pb::DeniedFact>,
    ) -> Result<Response<pb::DeniedFactResponse>, Status> {
        let from = admit(&self.member, &request)?;
        key::tell_denied(&self.member, from, request.get_ref()).map(Response::new)
    }

    async fn name_key(
        &self,
        request: Request<pb::NameKeyRequest>,
    ) -> Result<Response<pb::NameKeyResponse>, Status> {
        admit(&self.member, &request)?;
        Ok(Response::new(key::name_key(&self.member)))
    }

    async fn check_kms(
        &self,
        request: Request<pb::CheckKmsRequest>,
    ) -> Result<Response<pb::CheckKmsResponse>, Status> {
        let _from = admit(&self.member, &request)?;
        let busy = |_| Status::resource_exhausted("this member tries other settings already");
        let _place = self.checks.try_acquire().map_err(busy)?;
        let found = check_kms(&self.member, request.get_ref()).await;
        let problems = found.into_iter().map(pb::KmsProblem::from).collect();
        Ok(Response::new(pb::CheckKmsResponse { problems }))
    }

    async fn report_keys(
        &self,
        request: Request<pb::ReportKeysRequest>,
    ) -> Result<Response<pb::ReportKeysResponse>, Status> {
        let _from = admit(&self.member, &request)?;
        let keys = key_work::report_keys(&self.member, request.get_ref()).await.map_err(not_serving)?;
        Ok(Response::new(pb::ReportKeysResponse { keys: Some(keys) }))
    }

    async fn do_key_work(
        &self,
        request: Request<pb::KeyWorkOrder>,
    ) -> Result<Response<pb::KeyWorkResult>, Status> {
        let _from = admit(&self.member, &request)?;
        let serving = self.member.serving().map_err(not_serving)?;
        Ok(Response::new(key_work::do_key_work(&self.member, &serving, request.into_inner()).await))
    }
}
