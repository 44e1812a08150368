//! The key that authenticates the audit log.

use std::fmt;
use std::sync::Arc;

use crate::KeyVersion;
use crate::secret::{MacKey, SecretKey};

/// The key of a member's audit log, in locked memory. It hangs from the master key and outlives its rotations. Clones
/// share it; it is wiped when the last one is dropped.
#[derive(Clone)]
pub struct AuditKey {
    inner: Arc<Inner>,
}

struct Inner {
    version: KeyVersion,
    mac: MacKey,
}

impl AuditKey {
    pub(crate) fn new(version: KeyVersion, secret: SecretKey) -> Self {
        Self { inner: Arc::new(Inner { version, mac: MacKey::of(secret) }) }
    }

    /// Its version: another one than that of every audit key before it.
    pub fn version(&self) -> KeyVersion {
        self.inner.version
    }

    pub(crate) fn secret(&self) -> &SecretKey {
        self.inner.mac.secret()
    }

    pub(super) fn mac(&self) -> &MacKey {
        &self.inner.mac
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey").field("version", &self.inner.version).finish_non_exhaustive()
    }
}
