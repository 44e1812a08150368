//! The local KMS as its users see it.

use std::path::Path;

use async_trait::async_trait;

use super::LocalKmsError;
use super::blob::{self, Blob};
use super::model::{LocalKey, Model, arn_of};
use super::store::Store;
use crate::kms::{
    EncryptionContext, ErrorFacts, KeyArn, KeyDescription, KeyState, Kms, KmsError, MultiRegion, Region,
    Unwrapped, Wrapped,
};

/// AWS's limit for what Encrypt takes, in bytes.
const MAX_PLAINTEXT: usize = 4096;

/// AWS's limit for what Decrypt takes, in bytes.
const MAX_CIPHERTEXT: usize = 6144;

/// A key management service in a directory, for development and tests.
#[derive(Clone, Debug)]
pub struct LocalKms {
    store: Store,
}

impl LocalKms {
    /// Opens the directory `dir`, and warns in the log that it is no place for keys that matter.
    ///
    /// # Errors
    /// [`LocalKmsError::Missing`] when there is no local KMS in it, or when it cannot be read.
    pub fn open(dir: &Path) -> Result<Self, LocalKmsError> {
        let store = Store::new(dir);
        if store.read()?.is_none() {
            return Err(LocalKmsError::Missing { dir: dir.to_owned() });
        }
        tracing::warn!(
            dir = %store.dir().display(),
            "keys are wrapped by the local KMS, whose directory holds its keys in the clear: \
             for development only"
        );
        Ok(Self { store })
    }

    /// The content, if the Region answers at all.
    async fn reach(&self, region: &Region) -> Result<Model, KmsError> {
        let model = self.read()?;
        let Some(fault) = model.fault(region) else { return Ok(model) };
        fault.meet().await?;
        // What changed meanwhile counts.
        self.read()
    }

    fn read(&self) -> Result<Model, KmsError> {
        match self.store.read() {
            Ok(Some(model)) => Ok(model),
            Ok(None) => Err(KmsError::from_code("DispatchFailure", "the local KMS is gone")),
            Err(error) => Err(KmsError::from_code("DispatchFailure", error.to_string())),
        }
    }
}

/// The key, if it is in the Region that is asked.
fn find<'a>(
    model: &'a Model,
    region: &Region,
    arn: &KeyArn,
) -> Result<(&'a LocalKey, &'a KeyState), KmsError> {
    let key = model.key(arn).filter(|_| arn.region() == region);
    let found = key.and_then(|key| Some((key, &key.replica(region)?.state)));
    found.ok_or_else(|| refuse("NotFoundException", 404, None, &format!("no key {arn} in {region}")))
}

/// The key, if it can be used.
fn usable<'a>(model: &'a Model, region: &Region, arn: &KeyArn) -> Result<&'a LocalKey, KmsError> {
    let (key, state) = find(model, region, arn)?;
    match state {
        KeyState::Enabled => Ok(key),
        KeyState::Disabled => Err(refuse("DisabledException", 409, None, &format!("{arn} is disabled"))),
        state => {
            let message = format!("{arn} is not usable in its state");
            Err(refuse("KMSInvalidStateException", 409, Some(state), &message))
        }
    }
}

pub(super) fn refuse(code: &str, status: u16, key_state: Option<&KeyState>, message: &str) -> KmsError {
    let facts = ErrorFacts { code, http_status: Some(status), key_state, clock_skew: None };
    KmsError::new(&facts, message, Some(request_id()))
}

fn request_id() -> String {
    uuid::Uuid::new_v4().hyphenated().to_string()
}

#[async_trait]
impl Kms for LocalKms {
    async fn encrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        let model = self.reach(region).await?;
        if plaintext.is_empty() || plaintext.len() > MAX_PLAINTEXT {
            return Err(refuse("ValidationException", 400, None, "1 to 4096 bytes are encrypted"));
        }
        let found = usable(&model, region, key)?;
        let ciphertext = blob::seal(key.id(), found, plaintext, context)?;
        Ok(Wrapped {
            ciphertext,
            key_id: key.to_string(),
            key_material_id: found.current().map(|material| material.id.clone()),
            request_id: Some(request_id()),
        })
    }

    async fn decrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        let model = self.reach(region).await?;
        let found = usable(&model, region, key)?;
        let invalid = || refuse("InvalidCiphertextException", 400, None, "the ciphertext does not open");
        if ciphertext.len() > MAX_CIPHERTEXT {
            return Err(refuse("ValidationException", 400, None, "at most 6144 bytes are decrypted"));
        }
        let blob = Blob::parse(ciphertext).ok_or_else(invalid)?;
        if blob.key_id != key.id() {
            let message = "the ciphertext was made under another key than the one that is named";
            return Err(refuse("IncorrectKeyException", 400, None, message));
        }
        let plaintext = blob.open(found, context).ok_or_else(invalid)?;
        Ok(Unwrapped { plaintext, key_material_id: Some(blob.material_id), request_id: Some(request_id()) })
    }

    async fn describe(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError> {
        let model = self.reach(region).await?;
        let (found, state) = find(&model, region, key)?;
        let multi_region = key.is_multi_region().then(|| MultiRegion {
            primary: found.primary.clone(),
            replicas: found.replicas.keys().filter(|held| **held != found.primary).cloned().collect(),
        });
        let arn = arn_of(key.id(), region)
            .map_err(|error| KmsError::from_code("KMSInternalException", error.to_string()))?;
        Ok(KeyDescription {
            arn,
            state: state.clone(),
            multi_region,
            symmetric: true,
            current_key_material_id: found.current().map(|material| material.id.clone()),
            custom_key_store: false,
            created: Some(found.created),
            request_id: Some(request_id()),
        })
    }
}
