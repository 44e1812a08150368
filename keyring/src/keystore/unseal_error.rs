//! Why a keystore could not be unsealed or made.

use crate::keystore::KeystoreError;
use crate::kms::{KeyArnError, KmsError, KmsErrorClass};

/// Why a keystore could not be unsealed or made: the service's verdict is told apart from what is
/// wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The key management service refused or could not be reached.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The keystore itself: unreadable, damaged, another member's.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The key cannot be asked in that Region.
    #[error(transparent)]
    Region(#[from] KeyArnError),
    /// The service gave back something else than what it had been given.
    #[error("KMS did not return the key that it had wrapped: {0}")]
    NotProven(&'static str),
    /// `vouch` was not called, or had refused.
    #[error("the keystore's CMK was not compared with those that are acceptable")]
    NotVouched,
}

impl UnsealError {
    /// The verdict that the service's answer stands for; `None` when the file is at fault.
    pub fn class(&self) -> Option<KmsErrorClass> {
        match self {
            Self::Kms(error) => Some(error.class),
            Self::Region(_) | Self::NotProven(_) => Some(KmsErrorClass::Misconfigured),
            Self::Keystore(_) | Self::NotVouched => None,
        }
    }
}

impl From<super::FileError> for UnsealError {
    fn from(error: super::FileError) -> Self {
        Self::Keystore(error.into())
    }
}
