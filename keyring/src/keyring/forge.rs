//! How keys are made and wrapped.

use std::sync::Arc;

use super::{Keys, MasterKey};
use crate::audit::AuditKey;
use crate::keystore::{CmkWrap, KeyEntry, KeystoreBody, KeystoreError, UnsealError};
use crate::kms::{EncryptionContext, KeyArn, Kms, Region};
use crate::secret::{KeyKind, SecretArena, SecretKey, WrapError, WrapPlace, WrappedKey, wrap_proven};
use crate::timestamp::Timestamp;
use crate::{ClusterId, DataKey, KeyOwner, KeyVersion, MemberId};

/// Makes and wraps the keys of one member.
#[derive(Clone, Copy)]
pub(super) struct Forge<'a> {
    pub(super) arena: &'a SecretArena,
    pub(super) cluster: &'a ClusterId,
    pub(super) member: MemberId,
}

/// What the service was asked, for the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KmsRequests {
    pub(super) encrypt: Option<String>,
    pub(super) decrypt: Option<String>,
}

impl Forge<'_> {
    /// Makes a random key, to be a master key.
    pub(super) fn new_secret(&self) -> Result<SecretKey, KeystoreError> {
        self.arena.generate().map_err(KeystoreError::NoKey)
    }

    /// Lets the service wrap a master key, proven by an unwrap.
    pub(super) async fn wrap_master(
        &self,
        secret: &SecretKey,
        kms: &dyn Kms,
        cmk: &KeyArn,
        region: &Region,
    ) -> Result<(CmkWrap, KmsRequests), UnsealError> {
        let context = EncryptionContext::node_master_key(self.cluster, self.member);
        let region = region.clone();
        let cmk = cmk.in_region(&region)?;
        let wrapped = kms.encrypt(&region, &cmk, secret.bytes(), &context).await?;
        let proof = kms.decrypt(&region, &cmk, &wrapped.ciphertext, &context).await?;
        if proof.plaintext.as_slice() != secret.bytes() {
            return Err(UnsealError::NotProven("the bytes differ"));
        }
        let key_material_id = proof.key_material_id.or(wrapped.key_material_id);
        let requests = KmsRequests { encrypt: wrapped.request_id, decrypt: proof.request_id };
        Ok((CmkWrap { cmk, region, key_material_id, context, ciphertext: wrapped.ciphertext }, requests))
    }

    /// Makes a random data key.
    pub(super) fn new_key(
        &self,
        owner: KeyOwner,
        version: KeyVersion,
    ) -> Result<Arc<DataKey>, KeystoreError> {
        Ok(Arc::new(DataKey::new(owner, version, self.new_secret()?)))
    }

    /// Makes a random key for the audit log.
    pub(super) fn new_audit_key(&self, version: KeyVersion) -> Result<AuditKey, KeystoreError> {
        Ok(AuditKey::new(version, self.new_secret()?))
    }

    /// Wraps a new data key under the master key, proven by an unwrap.
    pub(super) fn wrap_data_key(&self, master: &MasterKey, key: &DataKey) -> Result<KeyEntry, KeystoreError> {
        let (kind, id) = kind_of(key.owner());
        let wrapped = self.wrap(master, kind, id, key.version(), key.secret())?;
        Ok(entry(key.version(), master.version, wrapped))
    }

    /// Wraps a new audit key under the master key, proven by an unwrap.
    pub(super) fn wrap_audit_key(
        &self,
        master: &MasterKey,
        key: &AuditKey,
    ) -> Result<KeyEntry, KeystoreError> {
        let wrapped = self.wrap(master, KeyKind::Audit, 0, key.version(), key.secret())?;
        Ok(entry(key.version(), master.version, wrapped))
    }

    /// Wraps every key of `body` under another master key, each proven by an unwrap; how many there are is returned.
    pub(super) fn rewrap_all(
        &self,
        body: &mut KeystoreBody,
        master: &MasterKey,
        keys: &Keys,
        audit: Option<&AuditKey>,
    ) -> Result<usize, KeystoreError> {
        let KeystoreBody { raft, databases, audit: audit_entry, .. } = body;
        let raft = raft.iter_mut().map(|entry| (KeyOwner::Raft, entry));
        let databases = databases.iter_mut().flat_map(|database| {
            let owner = KeyOwner::Database(database.id);
            database.keys.iter_mut().map(move |entry| (owner, entry))
        });
        let mut count = 0;
        for (owner, entry) in raft.chain(databases) {
            let key = keys.get(&owner).and_then(|versions| versions.get(&entry.version));
            let key = key.ok_or_else(|| not_in_memory(&owner))?;
            let (kind, id) = kind_of(owner);
            entry.wrapped = self.wrap(master, kind, id, entry.version, key.secret())?;
            entry.wrapped_by = master.version;
            count += 1;
        }
        if let Some(entry) = audit_entry {
            let key = audit.filter(|key| key.version() == entry.version);
            let key = key.ok_or_else(|| not_in_memory(&"the audit log"))?;
            entry.wrapped = self.wrap(master, KeyKind::Audit, 0, entry.version, key.secret())?;
            entry.wrapped_by = master.version;
            count += 1;
        }
        Ok(count)
    }

    /// Where a wrapped key belongs.
    pub(super) fn place(
        &self,
        kind: KeyKind,
        id: u64,
        version: KeyVersion,
        wrapped_by: KeyVersion,
    ) -> WrapPlace<'_> {
        WrapPlace { cluster: self.cluster, member: self.member, kind, id, version, wrapped_by }
    }

    fn wrap(
        &self,
        master: &MasterKey,
        kind: KeyKind,
        id: u64,
        version: KeyVersion,
        secret: &SecretKey,
    ) -> Result<WrappedKey, KeystoreError> {
        let place = self.place(kind, id, version, master.version);
        wrap_proven(self.arena, &master.secret, secret, &place).map_err(|error| match error {
            WrapError::System(error) => KeystoreError::NoKey(error),
            refused @ WrapError::Refused => KeystoreError::NoKey(std::io::Error::other(refused.to_string())),
        })
    }
}

/// The kind and id that a data key is wrapped with.
pub(super) fn kind_of(owner: KeyOwner) -> (KeyKind, u64) {
    match owner {
        KeyOwner::Raft => (KeyKind::Raft, 0),
        KeyOwner::Database(id) => (KeyKind::Database, id.0),
    }
}

fn entry(version: KeyVersion, wrapped_by: KeyVersion, wrapped: WrappedKey) -> KeyEntry {
    KeyEntry { version, created: Timestamp::now(), wrapped_by, wrapped }
}

/// Memory follows disk, so this cannot be; if it were, a rewrap would lose the key.
fn not_in_memory(owner: &dyn std::fmt::Display) -> KeystoreError {
    KeystoreError::NoKey(std::io::Error::other(format!("a key of {owner} is not in memory")))
}
