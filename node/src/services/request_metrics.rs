//! Counts calls and their time, by method and outcome.

use std::{future::Future, time::Instant};

use metrics::{counter, histogram};
use tonic::{Code, Response, Status};

use super::error::ServiceError;
use crate::metrics::{REQUEST_SECONDS, REQUESTS};

/// Runs a call, counts it, and makes a status of its error.
pub async fn observed<T>(
    method: &'static str,
    call: impl Future<Output = Result<T, ServiceError>>,
) -> Result<Response<T>, Status> {
    let started = Instant::now();
    let result = call.await.map_err(Status::from);
    let outcome = result.as_ref().err().map_or("ok", |status| outcome(status.code()));
    counter!(REQUESTS, "method" => method, "outcome" => outcome).increment(1);
    histogram!(REQUEST_SECONDS, "method" => method, "outcome" => outcome)
        .record(started.elapsed().as_secs_f64());
    result.map(Response::new)
}

/// The gRPC code as a label.
fn outcome(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Cancelled => "cancelled",
        Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}
