//! A call to the service that failed.

use std::fmt;

use super::{ErrorFacts, KeyState, KmsErrorClass, classify};

/// Longest message kept of what a service said.
const MAX_MESSAGE: usize = 600;

/// Why a call failed, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsError {
    /// The service's code, like `DisabledException`, or the library's, like `TimeoutError`.
    pub code: String,
    /// What to take it for.
    pub class: KmsErrorClass,
    /// What the service or the library said; no secret is in it.
    pub message: String,
    /// The service's id of the request, for its audit trail.
    pub request_id: Option<String>,
    /// The key's state, where the code alone did not say.
    pub key_state: Option<KeyState>,
    /// Whether it was in getting credentials that the call failed, and the service itself was not asked.
    pub of_credentials: bool,
}

impl KmsError {
    /// An error with the class that its facts give it.
    pub fn new(facts: &ErrorFacts<'_>, message: impl Into<String>, request_id: Option<String>) -> Self {
        let mut message = message.into();
        if let Some((cut, _)) = message.char_indices().nth(MAX_MESSAGE) {
            message.truncate(cut);
            message.push('…');
        }
        Self {
            code: facts.code.to_owned(),
            class: classify(facts),
            message,
            request_id,
            key_state: facts.key_state.cloned(),
            of_credentials: false,
        }
    }

    /// An error that is told by its code alone.
    pub fn from_code(code: &str, message: impl Into<String>) -> Self {
        Self::new(&ErrorFacts { code, ..ErrorFacts::default() }, message, None)
    }

    /// The same error, met while getting credentials.
    #[must_use]
    pub fn of_credentials(self) -> Self {
        Self { of_credentials: true, ..self }
    }

    /// Whether this is a denial that is a fact of the key, the same for every member, and not one
    /// of this member's own access.
    pub fn is_fact_of_key(&self) -> bool {
        self.class == KmsErrorClass::Denied
            && matches!(self.code.as_str(), "DisabledException" | "KMSInvalidStateException")
    }

    /// What an operator may do about it, where the code tells.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self.code.as_str() {
            "AccessDeniedException" => {
                "the key's policy, an IAM policy or an endpoint policy must allow kms:Encrypt, \
                 kms:Decrypt and kms:DescribeKey on the key's ARN for this member's identity; a \
                 statement with kms:ViaService denies direct calls like these"
            }
            "AccessDenied" => {
                "the role's trust policy must let this member's identity assume it, with the \
                 ExternalId that is configured"
            }
            "DisabledException" => "enable the key in KMS",
            "KMSInvalidStateException" => {
                "look at the key's state in KMS; after a deletion was called off the key is still \
                 to be enabled"
            }
            "NotFoundException" => "check the ARN, its account and its Region; the key may have been deleted",
            "UnrecognizedClientException" | "InvalidClientTokenId" => {
                "the credentials were deleted or deactivated: give this member valid ones"
            }
            "InvalidSignatureException" | "SignatureDoesNotMatch" => {
                "the secret key does not match the access key, or this machine's clock is off"
            }
            "IncorrectKeyException" => "the keystore was wrapped by another key than this one",
            "InvalidCiphertextException" => {
                "the keystore's wrap is damaged, or it was made for another cluster or member"
            }
            "InvalidKeyUsageException" => {
                "a symmetric key for encryption is needed, not an asymmetric or HMAC key"
            }
            "InvalidArnException" => "check the ARN of the key",
            "PublicEndpoint" => {
                "set the endpoints to those of interface endpoints (AWS PrivateLink), give those private DNS, or \
                 take encryption.require_private_network back"
            }
            "CredentialsNotLoaded" => {
                "no provider had credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a \
                 profile, or give the machine a role"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.of_credentials { "credentials for KMS" } else { "KMS" };
        write!(f, "{what}: {}", self.code)?;
        if let Some(state) = &self.key_state {
            write!(f, " (the key is {state:?})")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " [request {id}]")?;
        }
        if let Some(remedy) = self.remedy() {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for KmsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_happened_and_what_to_do() {
        let error = KmsError::from_code("DisabledException", "key is disabled");
        assert_eq!(error.to_string(), "KMS: DisabledException: key is disabled; enable the key in KMS");
        assert!(error.is_fact_of_key());
        let denied = KmsError::from_code("AccessDeniedException", "no");
        assert!(!denied.is_fact_of_key());
        assert!(denied.to_string().contains("kms:ViaService"));
    }

    #[test]
    fn a_long_message_is_cut() {
        let error = KmsError::from_code("X", "é".repeat(10_000));
        assert_eq!(error.message.chars().count(), MAX_MESSAGE + 1);
    }
}
