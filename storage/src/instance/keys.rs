//! Hands the keyring's keys to the sealed file system.

use std::sync::Arc;

use coffer_keyring::{DataKey, KeyOwner, KeyVersion, Keyring};

use crate::sealed_fs::{KeySource, SealingKey};

/// The live keys of one owner: a rotation in the keyring is seen by the next file.
pub struct RingKeys {
    keyring: Keyring,
    owner: KeyOwner,
}

impl RingKeys {
    /// The keys of `owner`.
    pub fn new(keyring: Keyring, owner: KeyOwner) -> Self {
        Self { keyring, owner }
    }
}

impl KeySource for RingKeys {
    fn current(&self) -> Option<Arc<SealingKey>> {
        self.keyring.current(self.owner).map(sealing_key)
    }

    fn version(&self, version: u32) -> Option<Arc<SealingKey>> {
        self.keyring.get(self.owner, KeyVersion(version)).map(sealing_key)
    }
}

/// One key that the keyring does not list: of a snapshot that is being received, before it is switched to.
pub struct FixedKey(Arc<SealingKey>);

impl FixedKey {
    /// Seals everything under `key`.
    pub fn new(key: Arc<DataKey>) -> Self {
        Self(sealing_key(key))
    }
}

impl KeySource for FixedKey {
    fn current(&self) -> Option<Arc<SealingKey>> {
        Some(self.0.clone())
    }

    fn version(&self, version: u32) -> Option<Arc<SealingKey>> {
        (version == self.0.version()).then(|| self.0.clone())
    }
}

/// No key, and none is asked for: encryption is off.
pub struct NoKeys;

impl KeySource for NoKeys {
    fn current(&self) -> Option<Arc<SealingKey>> {
        None
    }

    fn version(&self, _: u32) -> Option<Arc<SealingKey>> {
        None
    }
}

fn sealing_key(key: Arc<DataKey>) -> Arc<SealingKey> {
    Arc::new(SealingKey::of(key))
}
