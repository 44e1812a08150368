//! The key hierarchy of a member, for people: versions and dates, no secrets.

use serde::Serialize;

use crate::keystore::{KeyEntry, KeystoreBody};
use crate::kms::{EncryptionContext, KeyArn, Region};
use crate::timestamp::Timestamp;
use crate::{ClusterId, DatabaseId, Generation, Incarnation, KeyVersion, MemberId};

/// All levels of a member's key hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyringReport {
    /// Whether encryption is on; off, there are no keys.
    pub encryption: bool,
    /// The cluster.
    pub cluster: ClusterId,
    /// The member.
    pub member: MemberId,
    /// How often the member was started.
    pub incarnation: Incarnation,
    /// The live generation of the data directory.
    pub generation: Generation,
    /// Whether the memory of the keys is locked.
    pub memory_locked: bool,
    /// Versions of the node master key, oldest first.
    pub masters: Vec<MasterKeyReport>,
    /// Versions of the raft key, oldest first; the last is current.
    pub raft: Vec<DataKeyReport>,
    /// Databases by id.
    pub databases: Vec<DatabaseKeysReport>,
    /// Databases whose keys were destroyed.
    pub tombstones: Vec<TombstoneReport>,
}

/// A version of the node master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MasterKeyReport {
    /// Its version.
    pub version: KeyVersion,
    /// When it was made.
    pub created: Timestamp,
    /// The CMK that wraps it, by its ARN in the Region that wrapped.
    pub cmk: KeyArn,
    /// The Region that wrapped.
    pub region: Region,
    /// The key material of the CMK that wrapped, where it is known.
    pub key_material_id: Option<String>,
    /// The context that the wrap is bound to.
    pub context: EncryptionContext,
}

/// A version of a raft or database key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataKeyReport {
    /// Its version.
    pub version: KeyVersion,
    /// When it was made.
    pub created: Timestamp,
    /// The version of the master key that wraps it.
    pub wrapped_by: KeyVersion,
}

/// The keys of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseKeysReport {
    /// The database.
    pub id: DatabaseId,
    /// The log index of the command that created it.
    pub log_index: u64,
    /// Versions of its key, oldest first; the last is current.
    pub keys: Vec<DataKeyReport>,
}

/// A database whose keys were destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TombstoneReport {
    /// The database.
    pub id: DatabaseId,
    /// The log index of the command that dropped it.
    pub log_index: u64,
}

impl KeyringReport {
    pub(crate) fn of(body: &KeystoreBody, encryption: bool, memory_locked: bool) -> Self {
        let masters = body.masters.iter().map(|master| MasterKeyReport {
            version: master.version,
            created: master.created,
            cmk: master.wrap.cmk.clone(),
            region: master.wrap.region.clone(),
            key_material_id: master.wrap.key_material_id.clone(),
            context: master.wrap.context.clone(),
        });
        let databases = body.databases.iter().map(|database| DatabaseKeysReport {
            id: database.id,
            log_index: database.log_index,
            keys: data_keys(&database.keys),
        });
        let tombstones = body
            .tombstones
            .iter()
            .map(|tombstone| TombstoneReport { id: tombstone.id, log_index: tombstone.log_index });
        Self {
            encryption,
            cluster: body.cluster.clone(),
            member: body.member,
            incarnation: body.incarnation,
            generation: body.generation,
            memory_locked,
            masters: masters.collect(),
            raft: data_keys(&body.raft),
            databases: databases.collect(),
            tombstones: tombstones.collect(),
        }
    }
}

fn data_keys(entries: &[KeyEntry]) -> Vec<DataKeyReport> {
    let report = |entry: &KeyEntry| DataKeyReport {
        version: entry.version,
        created: entry.created,
        wrapped_by: entry.wrapped_by,
    };
    entries.iter().map(report).collect()
}
