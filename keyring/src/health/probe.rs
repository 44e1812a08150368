//! Asks the service whether the key still works.
//!
//! DescribeKey alone would not do: it succeeds on a disabled key, and a policy that lost only
//! kms:Decrypt shows only in a Decrypt.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{ProbeOutcome, Verdict};
use crate::WrapInfo;
use crate::kms::{KeyArn, KeyDescription, KeyState, Kms, KmsError, KmsErrorClass, Region};

/// Time that a whole probe may take: it is part of the minute from a revocation to darkness.
pub const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// Time that fresh credentials may take of it: an STS that hangs must leave time to ask with the
/// credentials that there are, or it would hide a denial.
const REFRESH_LIMIT: Duration = Duration::from_secs(2);

/// What KMS answers where the key's state forbids a call.
const INVALID_STATE: &str = "KMSInvalidStateException";

/// Length of the canary in bytes.
const CANARY_LEN: usize = 32;

/// Takes fresh credentials, then encrypts and decrypts a random canary under the key and the
/// context of `wrap`, and reads the key's state; [`PROBE_LIMIT`] in all.
pub async fn probe(kms: &dyn Kms, wrap: &WrapInfo, region: &Region) -> ProbeOutcome {
    let deadline = Instant::now() + PROBE_LIMIT;
    let key = match wrap.cmk.in_region(region) {
        Ok(key) => key,
        Err(error) => {
            let error = KmsError {
                class: KmsErrorClass::Misconfigured,
                ..KmsError::from_code("SingleRegionKey", error.to_string())
            };
            return judge(wrap, region, [Err(error), Ok(())], None);
        }
    };
    let fresh = within(Instant::now() + REFRESH_LIMIT, kms.refresh_credentials(region)).await;
    if fresh.as_ref().is_err_and(|error| error.class == KmsErrorClass::Denied) {
        return judge(wrap, region, [fresh, Ok(())], None);
    }
    // Credentials that could not be renewed may still work, and then they may be told of a denial.
    let (canary, description) = tokio::join!(
        within(deadline, canary(kms, wrap, region, &key)),
        within(deadline, kms.describe(region, &key)),
    );
    judge(wrap, region, [fresh, canary], Some(description))
}

async fn within<T>(
    deadline: Instant,
    call: impl Future<Output = Result<T, KmsError>>,
) -> Result<T, KmsError> {
    match timeout_at(deadline, call).await {
        Ok(answer) => answer,
        Err(_) => Err(KmsError::from_code("TimeoutError", "the probe took too long")),
    }
}

async fn canary(kms: &dyn Kms, wrap: &WrapInfo, region: &Region, key: &KeyArn) -> Result<(), KmsError> {
    let mut canary = Zeroizing::new([0; CANARY_LEN]);
    getrandom::fill(canary.as_mut_slice())
        .map_err(|error| KmsError::from_code("NoRandomness", error.to_string()))?;
    let wrapped = kms.encrypt(region, key, canary.as_slice(), &wrap.context).await?;
    let back = kms.decrypt(region, key, &wrapped.ciphertext, &wrap.context).await?;
    if back.plaintext.as_slice() == canary.as_slice() {
        return Ok(());
    }
    Err(KmsError {
        class: KmsErrorClass::Misconfigured,
        ..KmsError::from_code("CanaryChanged", "the service gave back other bytes")
    })
}

/// Puts the findings together: the gravest counts.
fn judge(
    wrap: &WrapInfo,
    region: &Region,
    calls: [Result<(), KmsError>; 2],
    description: Option<Result<KeyDescription, KmsError>>,
) -> ProbeOutcome {
    let mut outcome = ProbeOutcome::accessible(region);
    let unreadable = matches!(&description, Some(Err(error)) if error.class == KmsErrorClass::Denied);
    match description {
        Some(Ok(key)) => {
            if key.state.is_revoked() {
                outcome.verdict = Verdict::Denied;
            }
            outcome.stale_wrap = key
                .current_key_material_id
                .as_ref()
                .zip(wrap.key_material_id.as_ref())
                .map(|(current, wrapped)| current != wrapped);
            outcome.key_state = Some(key.state);
            outcome.key_created = key.created;
            outcome.custom_key_store = Some(key.custom_key_store);
            outcome.multi_region = key.multi_region;
            outcome.current_key_material_id = key.current_key_material_id;
        }
        Some(Err(error)) => outcome.describe_error = Some(error),
        None => {}
    }
    let mut held: Option<Verdict> = None;
    for error in calls.into_iter().filter_map(Result::err) {
        let error = with_state(error, outcome.key_state.as_ref());
        let mut verdict = Verdict::from(error.class);
        if unreadable && error.code == INVALID_STATE && error.key_state.is_none() {
            // The state of the key forbids the call, and its owner forbids to read the state: a deletion that is scheduled
            // must not pass for an outage.
            verdict = Verdict::Denied;
        }
        if held.is_none_or(|held| verdict > held) {
            outcome.error = Some(error);
            held = Some(verdict);
        }
        outcome.verdict = outcome.verdict.max(verdict);
    }
    outcome
}

/// Reads an error that is told by the key's state again, now that the state is known.
fn with_state(error: KmsError, state: Option<&KeyState>) -> KmsError {
    if error.code != INVALID_STATE || error.key_state.is_some() {
        return error;
    }
    let facts =
        crate::kms::ErrorFacts { code: &error.code, key_state: state, ..crate::kms::ErrorFacts::default() };
    KmsError::new(&facts, error.message.clone(), error.request_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyVersion;
    use crate::kms::EncryptionContext;

    fn judged(canary: &str, describe: &str) -> ProbeOutcome {
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let cmk = KeyArn::parse(arn).unwrap();
        let region = cmk.region().clone();
        let wrap = WrapInfo {
            version: KeyVersion::FIRST,
            cmk,
            region: region.clone(),
            context: EncryptionContext::default(),
            key_material_id: None,
        };
        let failed = |code: &str| KmsError::from_code(code, "");
        judge(&wrap, &region, [Ok(()), Err(failed(canary))], Some(Err(failed(describe))))
    }

    #[test]
    fn a_state_that_forbids_and_must_not_be_read_is_a_denial() {
        let outcome = judged(INVALID_STATE, "AccessDeniedException");
        assert_eq!(outcome.verdict, Verdict::Denied);
        assert_eq!(outcome.error.as_ref().map(|error| error.code.as_str()), Some(INVALID_STATE));
        assert!(!outcome.is_fact_of_key(), "nobody read it");
        // An outage stays one, also where the state must not be read.
        assert_eq!(judged(INVALID_STATE, "TimeoutError").verdict, Verdict::Unreachable);
        assert_eq!(judged("KMSInternalException", "AccessDeniedException").verdict, Verdict::Unreachable);
    }
}
