//! From the SDK's types to ours.

use std::error::Error;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_kms::operation::describe_key::DescribeKeyOutput;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::private_resolver::PublicAddress;
use crate::Timestamp;
use crate::kms::{ErrorFacts, KeyArn, KeyDescription, KeyState, KmsError, MultiRegion, Region};

/// Reads an error of the SDK: by its code, never by its type.
pub(super) fn error_of<E>(error: &SdkError<E, HttpResponse>) -> KmsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let raw = error.raw_response();
    let request_id = raw.and_then(request_id);
    let http_status = raw.map(|raw| raw.status().as_u16());
    let (code, message) = match error {
        SdkError::ServiceError(service) => {
            let error = service.err();
            let code = error.code().unwrap_or("UnknownError").to_owned();
            (code, error.message().unwrap_or_default().to_owned())
        }
        SdkError::TimeoutError(_) => ("TimeoutError".to_owned(), chain(error)),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            ("TimeoutError".to_owned(), chain(error))
        }
        SdkError::DispatchFailure(_) if is_public(error) => ("PublicEndpoint".to_owned(), chain(error)),
        SdkError::DispatchFailure(_) => ("DispatchFailure".to_owned(), chain(error)),
        SdkError::ConstructionFailure(_) => ("ConstructionFailure".to_owned(), chain(error)),
        // Its source could quote the answer.
        SdkError::ResponseError(_) => ("ResponseError".to_owned(), "the answer could not be read".to_owned()),
        _ => ("UnknownError".to_owned(), String::new()),
    };
    let clock_skew = raw.and_then(clock_skew);
    let facts = ErrorFacts { code: &code, http_status, key_state: None, clock_skew };
    KmsError::new(&facts, message, request_id)
}

/// Whether it was a public address that kept us from connecting.
pub(super) fn is_public(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.is::<PublicAddress>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// What an error and its sources say, by Display alone.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

fn request_id(raw: &HttpResponse) -> Option<String> {
    let headers = raw.headers();
    let id = headers.get("x-amzn-requestid").or_else(|| headers.get("x-amz-request-id"))?;
    Some(id.chars().take(64).collect())
}

/// How far this machine's clock is from the one of the answer.
fn clock_skew(raw: &HttpResponse) -> Option<Duration> {
    let date = DateTime::from_str(raw.headers().get("date")?, Format::HttpDate).ok()?;
    let there = UNIX_EPOCH + Duration::from_secs(u64::try_from(date.secs()).ok()?);
    let here = SystemTime::now();
    Some(here.duration_since(there).unwrap_or_else(|behind| behind.duration()))
}

/// Reads an answer of DescribeKey.
pub(super) fn description_of(
    output: &DescribeKeyOutput,
    request_id: Option<String>,
) -> Result<KeyDescription, KmsError> {
    let unreadable = |what: &str| KmsError::from_code("ResponseError", format!("DescribeKey says {what}"));
    let key = output.key_metadata().ok_or_else(|| unreadable("nothing of the key"))?;
    let arn = KeyArn::parse(key.arn().unwrap_or_default());
    let multi_region = key.multi_region_configuration().and_then(|found| {
        let region = |key: &aws_sdk_kms::types::MultiRegionKey| {
            key.region().and_then(|region| Region::parse(region).ok())
        };
        let primary = found.primary_key().and_then(region)?;
        let replicas = found.replica_keys().iter().filter_map(region).collect();
        Some(MultiRegion { primary, replicas })
    });
    let symmetric = key.key_usage() == Some(&KeyUsageType::EncryptDecrypt)
        && key.key_spec() == Some(&KeySpec::SymmetricDefault);
    Ok(KeyDescription {
        arn: arn.map_err(|error| unreadable(&error.to_string()))?,
        state: state_of(key.key_state().map(|state| state.as_str()).unwrap_or_default()),
        multi_region,
        symmetric,
        current_key_material_id: key.current_key_material_id().map(ToOwned::to_owned),
        custom_key_store: key.custom_key_store_id().is_some() || key.xks_key_configuration().is_some(),
        created: key.creation_date().and_then(|date| Timestamp::from_unix(date.secs())),
        request_id,
    })
}

fn state_of(name: &str) -> KeyState {
    match name {
        "Enabled" => KeyState::Enabled,
        "Disabled" => KeyState::Disabled,
        "PendingDeletion" => KeyState::PendingDeletion,
        "PendingReplicaDeletion" => KeyState::PendingReplicaDeletion,
        "PendingImport" => KeyState::PendingImport,
        "Creating" => KeyState::Creating,
        "Updating" => KeyState::Updating,
        "Unavailable" => KeyState::Unavailable,
        other => KeyState::Other(other.to_owned()),
    }
}
