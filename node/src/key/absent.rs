//! The service of a member that has none.

use coffer_keyring::kms::{
    EncryptionContext, KeyArn, KeyDescription, Kms, KmsError, KmsErrorClass, Region, Unwrapped, Wrapped,
};

/// Answers every call with why there is no service.
pub(super) struct AbsentKms(pub(super) String);

impl AbsentKms {
    fn refuse<T>(&self) -> Result<T, KmsError> {
        Err(KmsError {
            class: KmsErrorClass::Misconfigured,
            ..KmsError::from_code("NotConfigured", self.0.clone())
        })
    }
}

#[tonic::async_trait]
impl Kms for AbsentKms {
    async fn encrypt(
        &self,
        _region: &Region,
        _key: &KeyArn,
        _plaintext: &[u8],
        _context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        self.refuse()
    }

    async fn decrypt(
        &self,
        _region: &Region,
        _key: &KeyArn,
        _ciphertext: &[u8],
        _context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        self.refuse()
    }

    async fn describe(&self, _region: &Region, _key: &KeyArn) -> Result<KeyDescription, KmsError> {
        self.refuse()
    }
}
