//! What Coffer asks of a key management service, and the two services that answer.
//!
//! Invariants:
//! - Three calls suffice: Encrypt, Decrypt and DescribeKey on one key; the policy of the key need
//!   allow no more.
//! - Decrypt always names the key, so that a ciphertext made under another key cannot be
//!   unwrapped unnoticed.
//! - An error is told apart by its code and never by the error type of a library; [`classify`] is
//!   the one place that says what a code means.

mod arn;
pub mod aws;
mod class;
mod context;
mod describe;
mod error;
mod finding;
mod help;
mod iam_arn;
mod judge;
pub mod local;
pub mod policy;
mod private_network;
mod region;
mod region_trial;
mod validate;

use async_trait::async_trait;
use zeroize::Zeroizing;

pub use self::arn::{KeyArn, KeyArnError};
pub use self::class::{CLOCK_SKEW_LIMIT, ErrorFacts, KmsErrorClass, classify};
pub use self::context::EncryptionContext;
pub use self::describe::{KeyDescription, KeyState, MultiRegion};
pub use self::error::KmsError;
pub use self::finding::Finding;
pub use self::help::codes as help_codes;
pub use self::iam_arn::{IamArn, IamArnError};
pub use self::private_network::is_private;
pub use self::region::{Region, RegionError};
pub use self::validate::{parse_names, validate};

/// What Encrypt answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The encrypted bytes, at most 6,144 of them.
    pub ciphertext: Vec<u8>,
    /// The ARN of the key that encrypted, as the service names it.
    pub key_id: String,
    /// The key material that encrypted, where the service says it (AWS says it on Decrypt only).
    pub key_material_id: Option<String>,
    /// The service's id of this request, for its audit trail.
    pub request_id: Option<String>,
}

/// What Decrypt answers. Its Debug shows no plaintext.
pub struct Unwrapped {
    /// The decrypted bytes, wiped when dropped.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The key material that had encrypted them: older than the current one when the key was
    /// rotated in the service since.
    pub key_material_id: Option<String>,
    /// The service's id of this request, for its audit trail.
    pub request_id: Option<String>,
}

impl std::fmt::Debug for Unwrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unwrapped")
            .field("plaintext", &"<redacted>")
            .field("key_material_id", &self.key_material_id)
            .field("request_id", &self.request_id)
            .finish()
    }
}

/// A key management service, asked in one Region at a time.
///
/// Every call names the Region that is asked and the key's ARN there; a multi-Region key has an
/// ARN in each Region ([`KeyArn::in_region`]). Calls are bounded in time by the provider and may
/// be made from many tasks at once.
#[async_trait]
pub trait Kms: Send + Sync {
    /// Encrypts `plaintext` (1 to 4,096 bytes) under `key`, bound to `context`.
    ///
    /// # Errors
    /// Every failure comes with its class; see [`KmsErrorClass`].
    async fn encrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError>;

    /// Decrypts what [`Kms::encrypt`] made; `key` and `context` must be the same, save that a
    /// replica of a multi-Region key decrypts what another replica encrypted.
    ///
    /// # Errors
    /// Every failure comes with its class; see [`KmsErrorClass`].
    async fn decrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError>;

    /// Describes `key`. This works on a disabled key too: read the state.
    ///
    /// # Errors
    /// Every failure comes with its class; see [`KmsErrorClass`].
    async fn describe(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError>;

    /// Takes new credentials where the provider caches them, so that a role whose trust policy
    /// changed is noticed at the next probe and not when the cached session ends.
    ///
    /// # Errors
    /// What kept the provider from new credentials, with its class.
    async fn refresh_credentials(&self, _region: &Region) -> Result<(), KmsError> {
        Ok(())
    }
}
