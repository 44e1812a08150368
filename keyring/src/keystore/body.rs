//! What the keystore holds, under its seal.
//!
//! Invariant: the order of the fields is part of the format, because the seal is over the compact
//! JSON that these types write. A field is never moved or renamed within one format version.

use serde::{Deserialize, Serialize};

use super::KeystoreError;
use crate::kms::{EncryptionContext, KeyArn, Region};
use crate::secret::WrappedKey;
use crate::timestamp::Timestamp;
use crate::{
    ClusterId, DatabaseId, FormOrder, Generation, Incarnation, KeyVersion, MemberId, RaftGeneration,
};

/// Most versions of one raft key or database key that a keystore may hold: a version for every day of ten years.
pub(crate) const MAX_VERSIONS: usize = 4096;

/// Largest cached settings in bytes: what a system record of the replica set may have.
pub(crate) const MAX_SETTINGS: usize = 64 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeystoreBody {
    pub(crate) cluster: ClusterId,
    pub(crate) member: MemberId,
    pub(crate) incarnation: Incarnation,
    pub(crate) generation: Generation,
    /// Which directory the Raft log is in.
    pub(crate) raft_generation: RaftGeneration,
    /// The round of the rotation that made the master key; 0 for the first one.
    pub(crate) master_round: u64,
    /// The round of the order that this member's form, sealed or plain, follows; 0: as it was configured.
    pub(crate) encryption_round: u64,
    /// The change of form that the next start carries out.
    pub(crate) form_order: Option<FormOrder>,
    /// No key made from now on has a version as low as this: keys of an earlier time with encryption on had them.
    pub(crate) version_floor: KeyVersion,
    /// The replica set's settings, for the next start; what they mean is none of the keystore's business.
    pub(crate) settings: Option<OpaqueBytes>,
    /// The key of the audit log.
    pub(crate) audit: Option<KeyEntry>,
    pub(crate) masters: Vec<MasterEntry>,
    pub(crate) raft: Vec<KeyEntry>,
    pub(crate) databases: Vec<DatabaseEntry>,
    pub(crate) tombstones: Vec<Tombstone>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MasterEntry {
    pub(crate) version: KeyVersion,
    pub(crate) created: Timestamp,
    pub(crate) wrap: CmkWrap,
}

/// A master key under the customer's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CmkWrap {
    /// The CMK's ARN in the Region that wrapped.
    pub(crate) cmk: KeyArn,
    pub(crate) region: Region,
    pub(crate) key_material_id: Option<String>,
    pub(crate) context: EncryptionContext,
    #[serde(with = "base64_bytes")]
    pub(crate) ciphertext: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyEntry {
    pub(crate) version: KeyVersion,
    pub(crate) created: Timestamp,
    /// The version of the master key that wraps it.
    pub(crate) wrapped_by: KeyVersion,
    pub(crate) wrapped: WrappedKey,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseEntry {
    pub(crate) id: DatabaseId,
    /// The log index of the command that created it.
    pub(crate) log_index: u64,
    /// The round of the rotation that made its newest key; 0 for the first one.
    pub(crate) round: u64,
    pub(crate) keys: Vec<KeyEntry>,
}

/// What is left of a database whose keys were destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tombstone {
    pub(crate) id: DatabaseId,
    /// The log index of the command that dropped it.
    pub(crate) log_index: u64,
}

impl KeystoreBody {
    /// Checks what the types cannot say; the reason is returned.
    pub(crate) fn check(&self, encrypted: bool) -> Result<(), String> {
        ascending("master key versions", self.masters.iter().map(|master| master.version.0))?;
        ascending("raft key versions", self.raft.iter().map(|key| key.version.0))?;
        ascending("databases", self.databases.iter().map(|database| database.id.0))?;
        ascending("tombstones", self.tombstones.iter().map(|tombstone| tombstone.id.0))?;
        if self.masters.is_empty() == encrypted {
            return Err("the list of master keys does not fit the kind of seal".to_owned());
        }
        self.check_keys("the raft key", &self.raft, encrypted)?;
        if let Some(audit) = &self.audit {
            self.check_keys("the audit key", std::slice::from_ref(audit), encrypted)?;
        }
        if self.settings.as_ref().is_some_and(|settings| settings.0.len() > MAX_SETTINGS) {
            return Err(format!("its settings are larger than {MAX_SETTINGS} bytes"));
        }
        for database in &self.databases {
            let name = format!("the key of database {}", database.id);
            ascending(&name, database.keys.iter().map(|key| key.version.0))?;
            self.check_keys(&name, &database.keys, encrypted)?;
            if self.tombstone(database.id).is_some() {
                return Err(format!("database {} is alive and tombstoned", database.id));
            }
        }
        let context = EncryptionContext::node_master_key(&self.cluster, self.member);
        match self.masters.iter().find(|master| master.wrap.context != context) {
            Some(master) => Err(format!(
                "the encryption context of master key {} names another member or purpose",
                master.version
            )),
            None => Ok(()),
        }
    }

    fn check_keys(&self, name: &str, keys: &[KeyEntry], encrypted: bool) -> Result<(), String> {
        if keys.is_empty() == encrypted {
            return Err(format!("{name} does not fit the kind of seal"));
        }
        if keys.len() > MAX_VERSIONS {
            return Err(format!("{name} has more than {MAX_VERSIONS} versions"));
        }
        let known = |version| self.masters.iter().any(|master| master.version == version);
        match keys.iter().find(|key| !known(key.wrapped_by)) {
            Some(key) => Err(format!("{name} is wrapped by an unknown master key {}", key.wrapped_by)),
            None => Ok(()),
        }
    }

    /// The version of a key that is the first of its owner.
    pub(crate) fn first_version(&self) -> Result<KeyVersion, KeystoreError> {
        self.version_floor.next().ok_or(KeystoreError::Exhausted("key version"))
    }

    /// The version that the next master key has.
    pub(crate) fn next_master_version(&self) -> Result<KeyVersion, KeystoreError> {
        match self.masters.last() {
            Some(master) => master.version.next().ok_or(KeystoreError::Exhausted("master key version")),
            None => self.first_version(),
        }
    }

    /// The database, if it is alive.
    pub(crate) fn database(&self, id: DatabaseId) -> Option<&DatabaseEntry> {
        let at = self.databases.binary_search_by_key(&id, |database| database.id).ok()?;
        Some(&self.databases[at])
    }

    /// The log index at which the database was dropped, if it is tombstoned.
    pub(crate) fn tombstone(&self, id: DatabaseId) -> Option<u64> {
        let at = self.tombstones.binary_search_by_key(&id, |tombstone| tombstone.id).ok()?;
        Some(self.tombstones[at].log_index)
    }
}

/// Bytes that the keystore keeps and does not read; in text, base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OpaqueBytes(#[serde(with = "base64_bytes")] pub(crate) Vec<u8>);

impl std::fmt::Debug for OpaqueBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpaqueBytes({} bytes)", self.0.len())
    }
}

fn ascending<N: Ord>(name: &str, numbers: impl Iterator<Item = N>) -> Result<(), String> {
    if numbers.is_sorted_by(|left, right| left < right) {
        Ok(())
    } else {
        Err(format!("{name} are not in order"))
    }
}

pub(super) mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::keystore) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in crate::keystore) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(|_| serde::de::Error::custom("not base64"))
    }
}
