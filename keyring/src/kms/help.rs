//! Which help page explains an error.

use super::{KeyState, KmsError, KmsErrorClass};

/// Codes of the help pages that this crate refers to; `coffer explain CODE` shows a page.
pub mod codes {
    /// The key is disabled.
    pub const KEY_DISABLED: &str = "CK0001";
    /// The key is on its way to be deleted, or its imported material was taken away.
    pub const KEY_PENDING: &str = "CK0002";
    /// A policy does not allow the call.
    pub const ACCESS_DENIED: &str = "CK0003";
    /// The role cannot be assumed.
    pub const ROLE_DENIED: &str = "CK0004";
    /// The credentials are unknown to AWS, or changed.
    pub const CREDENTIALS_REVOKED: &str = "CK0005";
    /// There is no such key.
    pub const KEY_NOT_FOUND: &str = "CK0006";
    /// The service does not answer, or answers that it cannot.
    pub const UNREACHABLE: &str = "CK0010";
    /// There are no credentials to ask with.
    pub const NO_CREDENTIALS: &str = "CK0011";
    /// The service asks for fewer calls.
    pub const THROTTLED: &str = "CK0012";
    /// This machine's clock is off.
    pub const CLOCK: &str = "CK0013";
    /// The key lives in a custom or external key store.
    pub const CUSTOM_KEY_STORE: &str = "CK0014";
    /// An error that this version does not know.
    pub const UNKNOWN_ERROR: &str = "CK0015";
    /// A wrap that does not open.
    pub const BAD_WRAP: &str = "CK0020";
    /// An asymmetric or HMAC key.
    pub const WRONG_KIND: &str = "CK0021";
    /// A single-Region key, asked for elsewhere.
    pub const SINGLE_REGION: &str = "CK0022";
    /// Not the full ARN of a key.
    pub const MALFORMED_ARN: &str = "CK0023";
    /// A Region without a replica of the key.
    pub const NO_REPLICA: &str = "CK0024";
    /// Another key than the one that wrapped.
    pub const OTHER_KEY: &str = "CK0025";
    /// A public address, where a private network is required.
    pub const PUBLIC_ENDPOINT: &str = "CK0026";
}

impl KmsError {
    /// The code of the help page that explains this error.
    pub fn help_code(&self) -> &'static str {
        match self.code.as_str() {
            "DisabledException" => codes::KEY_DISABLED,
            "KMSInvalidStateException" => match &self.key_state {
                Some(KeyState::Disabled) => codes::KEY_DISABLED,
                Some(state) if state.is_revoked() => codes::KEY_PENDING,
                Some(KeyState::Unavailable) => codes::CUSTOM_KEY_STORE,
                Some(KeyState::Creating | KeyState::Updating) => codes::UNREACHABLE,
                _ => codes::UNKNOWN_ERROR,
            },
            "AccessDeniedException" => codes::ACCESS_DENIED,
            "AccessDenied" => codes::ROLE_DENIED,
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch" => match self.class {
                KmsErrorClass::NoVerdict => codes::CLOCK,
                _ => codes::CREDENTIALS_REVOKED,
            },
            "NotFoundException" => codes::KEY_NOT_FOUND,
            "PublicEndpoint" => codes::PUBLIC_ENDPOINT,
            "SingleRegionKey" => codes::SINGLE_REGION,
            "IncorrectKeyException" => codes::OTHER_KEY,
            "InvalidCiphertextException" | "CanaryChanged" => codes::BAD_WRAP,
            "InvalidKeyUsageException" => codes::WRONG_KIND,
            "InvalidArnException" => codes::MALFORMED_ARN,
            "CredentialsNotLoaded" | "ExpiredTokenException" | "ExpiredToken" => codes::NO_CREDENTIALS,
            _ if self.class == KmsErrorClass::NoVerdict => codes::THROTTLED,
            _ if self.of_credentials => codes::NO_CREDENTIALS,
            "DispatchFailure"
            | "TimeoutError"
            | "ResponseError"
            | "KeyUnavailableException"
            | "KMSInternalException"
            | "DependencyTimeoutException"
            | "InternalFailure"
            | "ServiceUnavailable"
            | "ServiceUnavailableException" => codes::UNREACHABLE,
            _ => codes::UNKNOWN_ERROR,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kms::ErrorFacts;

    #[test]
    fn every_error_has_its_page() {
        for (code, page) in [
            ("DisabledException", "CK0001"),
            ("AccessDeniedException", "CK0003"),
            ("AccessDenied", "CK0004"),
            ("UnrecognizedClientException", "CK0005"),
            ("SignatureDoesNotMatch", "CK0005"),
            ("NotFoundException", "CK0006"),
            ("TimeoutError", "CK0010"),
            ("KMSInternalException", "CK0010"),
            ("ExpiredToken", "CK0011"),
            ("CredentialsNotLoaded", "CK0011"),
            ("ThrottlingException", "CK0012"),
            ("SomethingNewException", "CK0015"),
            ("InvalidCiphertextException", "CK0020"),
            ("InvalidKeyUsageException", "CK0021"),
            ("InvalidArnException", "CK0023"),
            ("IncorrectKeyException", "CK0025"),
            ("PublicEndpoint", "CK0026"),
        ] {
            assert_eq!(KmsError::from_code(code, "").help_code(), page, "{code}");
        }
        for (state, page) in [
            (KeyState::PendingDeletion, "CK0002"),
            (KeyState::PendingImport, "CK0002"),
            (KeyState::Disabled, "CK0001"),
            (KeyState::Unavailable, "CK0014"),
            (KeyState::Creating, "CK0010"),
        ] {
            let facts = ErrorFacts {
                code: "KMSInvalidStateException",
                key_state: Some(&state),
                ..ErrorFacts::default()
            };
            assert_eq!(KmsError::new(&facts, "", None).help_code(), page, "{state:?}");
        }
        let facts = ErrorFacts {
            code: "InvalidSignatureException",
            clock_skew: Some(Duration::from_secs(900)),
            ..ErrorFacts::default()
        };
        assert_eq!(KmsError::new(&facts, "", None).help_code(), "CK0013");
    }

    #[test]
    fn an_sts_that_is_out_is_about_credentials() {
        let error = KmsError::from_code("DispatchFailure", "refused").of_credentials();
        assert_eq!(error.help_code(), "CK0011");
        assert!(error.to_string().starts_with("credentials for KMS: DispatchFailure: refused"), "{error}");
        assert_eq!(KmsError::from_code("AccessDenied", "no").of_credentials().help_code(), "CK0004");
    }
}
