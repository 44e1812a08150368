//! Counts calls and their time, by method and outcome.

use std::{future::Future, time::Instant};

use metrics::{counter, histogram};
use tonic::{Code, Status};

use super::error::ServiceError;

/// Calls that were answered; labels `method` and `outcome`.
pub const REQUESTS: &str = "coffer_requests_total";

/// Seconds until a call was answered (for Find: until its first batch); labels `method` and `outcome`.
pub const REQUEST_SECONDS: &str = "coffer_request_seconds";

/// Runs a call and counts it.
pub async fn observed<T>(
    method: &'static str,
    call: impl Future<Output = Result<T, ServiceError>>,
) -> Result<T, Status> {
    let started = Instant::now();
    let result = call.await.map_err(Status::from);
    let outcome = result.as_ref().err().map_or("ok", |status| outcome(status.code()));
    counter!(REQUESTS, "method" => method, "outcome" => outcome).increment(1);
    histogram!(REQUEST_SECONDS, "method" => method, "outcome" => outcome).record(started.elapsed());
    result
}

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
