//! A key that seals files: one version of one database's (or the Raft log's) key.

use std::fmt;

use zeroize::Zeroizing;

/// One version of the key of one instance. File keys are derived from it, one per file; it never
/// encrypts anything itself. Wiped on drop; never printed, never serialised.
pub struct SealingKey {
    version: u32,
    secret: Zeroizing<[u8; 32]>,
}

impl SealingKey {
    /// Takes the version as headers will name it, and 32 secret bytes.
    #[must_use]
    pub fn new(version: u32, secret: Zeroizing<[u8; 32]>) -> Self {
        Self { version, secret }
    }

    /// The version that the headers of its files name.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The secret, for derivation only.
    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey(version {}, redacted)", self.version)
    }
}
