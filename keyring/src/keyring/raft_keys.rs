//! The keys of the Raft log.

use super::events::{created, destruction};
use super::{Keyring, insert};
use crate::audit::AuditedKey;
use crate::keystore::KeystoreError;
use crate::{KeyOwner, KeyVersion};

impl Keyring {
    /// Adds a new raft key, which is the current one from now on; the older ones stay until
    /// [`Keyring::retire_raft_keys_before`]. With encryption off there is none, and version 1 is
    /// returned.
    ///
    /// # Errors
    /// [`KeystoreError::TooManyVersions`], or when no key can be made or the disk fails.
    pub fn rotate_raft_key(&self) -> Result<KeyVersion, KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let Some(newest) = body.raft.last() else { return Ok(KeyVersion::FIRST) };
        let version = newest.version.next().ok_or(KeystoreError::Exhausted("raft key version"))?;
        let key = self.make_key(&writer, KeyOwner::Raft, version)?;
        let entries = self.wrap_keys(&writer, key.iter())?;
        for entry in entries {
            body.add_raft_key(entry)?;
        }
        let events = created(key.as_deref());
        self.commit(&mut writer, body, events, |keys| {
            if let Some(key) = key {
                insert(keys, key);
            }
        })?;
        Ok(version)
    }

    /// Destroys the raft keys older than `version`: no file is sealed with them any more. Nothing
    /// is done with encryption off.
    ///
    /// # Errors
    /// [`KeystoreError::UnknownRaftKey`] when there is no such version, or when the disk fails.
    pub fn retire_raft_keys_before(&self, version: KeyVersion) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        if writer.master.is_none() {
            return Ok(());
        }
        let older = body.raft.iter().map(|key| key.version).filter(|held| *held < version);
        let destroyed: Vec<_> = older.map(|held| AuditedKey::of(KeyOwner::Raft, held)).collect();
        body.retire_raft_keys_before(version)?;
        if destroyed.is_empty() {
            return Ok(());
        }
        self.commit(&mut writer, body, destruction(&destroyed), |keys| {
            if let Some(versions) = keys.get_mut(&KeyOwner::Raft) {
                versions.retain(|held, _| *held >= version);
            }
        })
    }
}
