//! What an error of the service means for a member: outage, revocation, or neither.
//!
//! Invariants:
//! - A code that is not known is an outage: it never stops a member.
//! - Being throttled, and a refused signature while this machine's clock is off, say nothing of
//!   the key: no verdict.
//! - The classification is a pure function of what the answer said.

use std::time::Duration;

use serde::Serialize;

use super::KeyState;

/// AWS refuses a signature made with a clock further off than this (AWS General Reference,
/// "Signature Version 4": requests must reach AWS within five minutes of their time stamp).
pub const CLOCK_SKEW_LIMIT: Duration = Duration::from_secs(300);

/// What the caller should take an error for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum KmsErrorClass {
    /// An outage: a running member goes on, a starting one waits and tries other Regions.
    Unreachable,
    /// Neither an outage nor a revocation: back off and ask again.
    NoVerdict,
    /// The key's owner has taken access away; true only after confirmation.
    Denied,
    /// The request cannot work as it is: a person must look, and nothing stops.
    Misconfigured,
}

/// What is known of a failed call.
#[derive(Clone, Debug, Default)]
pub struct ErrorFacts<'a> {
    /// The service's code, like `DisabledException`, or the library's own, like `TimeoutError`.
    pub code: &'a str,
    /// The HTTP status, where there was an answer.
    pub http_status: Option<u16>,
    /// What DescribeKey says of the key, read after a `KMSInvalidStateException`.
    pub key_state: Option<&'a KeyState>,
    /// How far this machine's clock is from the `Date` of the answer.
    pub clock_skew: Option<Duration>,
}

/// Says what an error means, by its code.
///
/// Source of the codes: the API reference of AWS KMS (errors of Encrypt, Decrypt and DescribeKey,
/// and "Common Errors"), of AWS STS (AssumeRole), and "Key states of AWS KMS keys" in the
/// Developer Guide. `NotFoundException` is Denied here; in a Region that was never confirmed to
/// have a replica the caller reads it as "no replica here".
pub fn classify(facts: &ErrorFacts<'_>) -> KmsErrorClass {
    use KmsErrorClass::{Denied, Misconfigured, NoVerdict, Unreachable};
    let clock_is_off = facts.clock_skew.is_some_and(|skew| skew > CLOCK_SKEW_LIMIT);
    match facts.code {
        "DisabledException" | "NotFoundException" => Denied,
        "KMSInvalidStateException" => match facts.key_state {
            Some(state) if state.is_revoked() => Denied,
            // It works again, or will in a moment: nothing was learnt.
            Some(KeyState::Enabled | KeyState::Updating) => NoVerdict,
            _ => Unreachable,
        },
        // `AccessDenied` is how STS spells it.
        "AccessDeniedException" | "AccessDenied" => Denied,
        "InvalidSignatureException" | "SignatureDoesNotMatch" if clock_is_off => NoVerdict,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch" => Denied,
        "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "LimitExceededException" => NoVerdict,
        "IncorrectKeyException"
        | "InvalidCiphertextException"
        | "InvalidKeyUsageException"
        | "InvalidArnException"
        // Ours: a name that led to a public address, where those are refused.
        | "PublicEndpoint" => Misconfigured,
        // ExpiredToken(Exception), KeyUnavailableException, KMSInternalException,
        // DependencyTimeoutException, DispatchFailure, TimeoutError, CredentialsNotLoaded, and
        // whatever else there is or will be.
        _ if facts.http_status == Some(429) => NoVerdict,
        _ => Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::KmsErrorClass::{Denied, Misconfigured, NoVerdict, Unreachable};
    use super::*;

    fn of(code: &str, http_status: Option<u16>) -> KmsErrorClass {
        classify(&ErrorFacts { code, http_status, ..ErrorFacts::default() })
    }

    #[test]
    fn every_code_has_its_class() {
        for (code, status, class) in [
            ("DisabledException", Some(409), Denied),
            ("NotFoundException", Some(404), Denied),
            ("AccessDeniedException", Some(400), Denied),
            ("AccessDeniedException", Some(403), Denied),
            ("UnrecognizedClientException", Some(400), Denied),
            ("InvalidClientTokenId", Some(403), Denied),
            ("InvalidSignatureException", Some(403), Denied),
            ("SignatureDoesNotMatch", Some(403), Denied),
            ("ExpiredTokenException", Some(400), Unreachable),
            ("ExpiredToken", Some(403), Unreachable),
            ("AccessDenied", Some(403), Denied),
            ("KeyUnavailableException", Some(500), Unreachable),
            ("KMSInternalException", Some(500), Unreachable),
            ("DependencyTimeoutException", Some(503), Unreachable),
            ("ThrottlingException", Some(400), NoVerdict),
            ("LimitExceededException", Some(400), NoVerdict),
            ("SomethingNew", Some(429), NoVerdict),
            ("DispatchFailure", None, Unreachable),
            ("TimeoutError", None, Unreachable),
            ("CredentialsNotLoaded", None, Unreachable),
            ("IncorrectKeyException", Some(400), Misconfigured),
            ("InvalidCiphertextException", Some(400), Misconfigured),
            ("InvalidKeyUsageException", Some(400), Misconfigured),
            ("InvalidArnException", Some(400), Misconfigured),
            ("PublicEndpoint", None, Misconfigured),
            ("SomethingNew", Some(400), Unreachable),
            ("", None, Unreachable),
        ] {
            assert_eq!(of(code, status), class, "{code} {status:?}");
        }
    }

    #[test]
    fn an_invalid_state_is_read_from_the_key() {
        for (state, class) in [
            (Some(KeyState::Disabled), Denied),
            (Some(KeyState::PendingDeletion), Denied),
            (Some(KeyState::PendingReplicaDeletion), Denied),
            (Some(KeyState::PendingImport), Denied),
            (Some(KeyState::Creating), Unreachable),
            (Some(KeyState::Unavailable), Unreachable),
            (Some(KeyState::Other("Frozen".to_owned())), Unreachable),
            (Some(KeyState::Updating), NoVerdict),
            (Some(KeyState::Enabled), NoVerdict),
            (None, Unreachable),
        ] {
            let facts = ErrorFacts {
                code: "KMSInvalidStateException",
                http_status: Some(409),
                key_state: state.as_ref(),
                clock_skew: None,
            };
            assert_eq!(classify(&facts), class, "{state:?}");
        }
    }

    #[test]
    fn a_refused_signature_with_a_wrong_clock_is_no_verdict() {
        for code in ["InvalidSignatureException", "SignatureDoesNotMatch"] {
            let with = |clock_skew| classify(&ErrorFacts { code, clock_skew, ..ErrorFacts::default() });
            assert_eq!(with(Some(Duration::from_secs(301))), NoVerdict);
            assert_eq!(with(Some(Duration::from_secs(300))), Denied);
            assert_eq!(with(None), Denied);
        }
        // A wrong clock excuses nothing else.
        let facts = ErrorFacts {
            code: "DisabledException",
            clock_skew: Some(Duration::from_secs(4000)),
            ..ErrorFacts::default()
        };
        assert_eq!(classify(&facts), Denied);
    }
}
