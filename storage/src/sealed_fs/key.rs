//! A key that seals files: one version of one database's (or the Raft log's) key.

use std::sync::Arc;
use std::{fmt, io};

use coffer_keyring::DataKey;
use coffer_keyring::secret::{SecretArena, SecretKey};
use zeroize::Zeroizing;

/// One version of the key of one instance. File keys are derived from it, one per file; it never
/// encrypts anything itself. In locked memory that is left out of core dumps; wiped on drop, never
/// printed, never serialised.
pub struct SealingKey {
    version: u32,
    secret: Secret,
}

enum Secret {
    /// The keyring's own: there is no second copy of it.
    OfKeyring(Arc<DataKey>),
    Own(SecretKey),
}

impl SealingKey {
    /// A key of the keyring, under its version.
    #[must_use]
    pub fn of(key: Arc<DataKey>) -> Self {
        Self { version: key.version().0, secret: Secret::OfKeyring(key) }
    }

    /// Takes the version as headers will name it, and 32 secret bytes.
    ///
    /// # Errors
    /// The system has no memory for it.
    pub fn new(version: u32, mut secret: Zeroizing<[u8; 32]>) -> io::Result<Self> {
        Ok(Self { version, secret: Secret::Own(SecretArena::new().adopt(&mut secret)?) })
    }

    /// The version that the headers of its files name.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The secret, for derivation only.
    pub(super) fn secret(&self) -> &[u8; 32] {
        match &self.secret {
            Secret::OfKeyring(key) => key.bytes(),
            Secret::Own(key) => key.bytes(),
        }
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey(version {}, redacted)", self.version)
    }
}
