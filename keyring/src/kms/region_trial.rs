//! All three calls, tried with one key in one Region.

use std::future::Future;

use tokio::time::{Instant, timeout_at};

use super::{EncryptionContext, KeyArn, KeyDescription, Kms, KmsError, MultiRegion, Region};
use crate::health::PROBE_LIMIT;

/// What is tried.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) kms: &'a dyn Kms,
    pub(super) context: &'a EncryptionContext,
    pub(super) canary: &'a [u8],
}

/// What each call answered in one Region.
pub(super) struct RegionTrial {
    pub(super) region: Region,
    /// The key's ARN there.
    pub(super) key: KeyArn,
    pub(super) credentials: Result<(), KmsError>,
    pub(super) description: Result<KeyDescription, KmsError>,
    pub(super) encrypt: Result<Vec<u8>, KmsError>,
    /// `None` where there was nothing to decrypt.
    pub(super) decrypt: Option<Result<(), KmsError>>,
}

impl Trial<'_> {
    /// Tries `key`, which is its ARN in `region`. `other` is what the key encrypted in another Region: it has to open
    /// here too.
    pub(super) async fn run(self, region: &Region, key: &KeyArn, other: Option<&[u8]>) -> RegionTrial {
        let deadline = Instant::now() + PROBE_LIMIT;
        let credentials = within(deadline, self.kms.refresh_credentials(region)).await;
        let (description, encrypt) = tokio::join!(
            within(deadline, self.kms.describe(region, key)),
            within(deadline, self.kms.encrypt(region, key, self.canary, self.context)),
        );
        let encrypt = encrypt.map(|wrapped| wrapped.ciphertext);
        let mut decrypt = None;
        for ciphertext in encrypt.as_deref().ok().into_iter().chain(other) {
            let answer = self.decrypt(deadline, region, key, ciphertext).await;
            let failed = answer.is_err();
            decrypt = Some(answer);
            if failed {
                break;
            }
        }
        RegionTrial { region: region.clone(), key: key.clone(), credentials, description, encrypt, decrypt }
    }

    async fn decrypt(
        self,
        deadline: Instant,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
    ) -> Result<(), KmsError> {
        let opened = within(deadline, self.kms.decrypt(region, key, ciphertext, self.context)).await?;
        if opened.plaintext.as_slice() == self.canary {
            return Ok(());
        }
        Err(KmsError::from_code("CanaryChanged", "the service gave back other bytes"))
    }
}

async fn within<T>(
    deadline: Instant,
    call: impl Future<Output = Result<T, KmsError>>,
) -> Result<T, KmsError> {
    match timeout_at(deadline, call).await {
        Ok(answer) => answer,
        Err(_) => Err(KmsError::from_code("TimeoutError", "the trial took too long")),
    }
}

impl RegionTrial {
    /// What Encrypt made here.
    pub(super) fn ciphertext(&self) -> Option<&[u8]> {
        self.encrypt.as_deref().ok()
    }

    /// Where the key is, as DescribeKey says it here.
    pub(super) fn holders(&self) -> Option<&MultiRegion> {
        self.description.as_ref().ok()?.multi_region.as_ref()
    }

    /// The calls that failed.
    pub(super) fn errors(&self) -> impl Iterator<Item = (&'static str, &KmsError)> {
        let calls = [
            ("credentials", self.credentials.as_ref().err()),
            ("Encrypt", self.encrypt.as_ref().err()),
            ("Decrypt", self.decrypt.as_ref().and_then(|answer| answer.as_ref().err())),
            ("DescribeKey", self.description.as_ref().err()),
        ];
        calls.into_iter().filter_map(|(call, error)| Some((call, error?)))
    }
}
