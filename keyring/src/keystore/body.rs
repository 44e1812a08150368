//! What the keystore holds, under its seal.
//!
//! Invariant: the order of the fields is part of the format, because the seal is over the compact
//! JSON that these types write. A field is never moved or renamed within one format version.

use serde::{Deserialize, Serialize};

use crate::kms::{EncryptionContext, KeyArn, Region};
use crate::secret::WrappedKey;
use crate::timestamp::Timestamp;
use crate::{ClusterId, DatabaseId, Generation, Incarnation, KeyVersion, MemberId};

/// Most versions of one master key, raft key or database key that a keystore may hold.
const MAX_VERSIONS: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeystoreBody {
    pub(crate) cluster: ClusterId,
    pub(crate) member: MemberId,
    pub(crate) incarnation: Incarnation,
    pub(crate) generation: Generation,
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
    /// The canonical bytes that the seal is over: compact JSON.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("no map has keys other than text and no value fails")
    }

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

fn ascending<N: Ord>(name: &str, numbers: impl Iterator<Item = N>) -> Result<(), String> {
    if numbers.is_sorted_by(|left, right| left < right) {
        Ok(())
    } else {
        Err(format!("{name} are not in order"))
    }
}

mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(|_| serde::de::Error::custom("not base64"))
    }
}
