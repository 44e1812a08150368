//! A key that seals files.

use crate::secret::{KEY_LEN, SecretKey};
use crate::{KeyOwner, KeyVersion};

/// One version of the key of one owner, in locked memory. It is wiped when the last `Arc` of it
/// goes, so hold it no longer than the files that it seals are open.
#[derive(Debug)]
pub struct DataKey {
    owner: KeyOwner,
    version: KeyVersion,
    secret: SecretKey,
}

impl DataKey {
    pub(crate) fn new(owner: KeyOwner, version: KeyVersion, secret: SecretKey) -> Self {
        Self { owner, version, secret }
    }

    /// What the key seals.
    pub fn owner(&self) -> KeyOwner {
        self.owner
    }

    /// The version of the key.
    pub fn version(&self) -> KeyVersion {
        self.version
    }

    /// The 32 bytes of the key. Copy them nowhere that is not wiped.
    pub fn bytes(&self) -> &[u8; KEY_LEN] {
        self.secret.bytes()
    }

    pub(crate) fn secret(&self) -> &SecretKey {
        &self.secret
    }
}
