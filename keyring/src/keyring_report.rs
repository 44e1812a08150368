//! The key hierarchy of a member, for people: versions and dates, no secrets.

use serde::Serialize;

use crate::keystore::{KeyEntry, KeystoreBody};
use crate::kms::{EncryptionContext, KeyArn, Region};
use crate::timestamp::Timestamp;
use crate::{
    ClusterId, DatabaseId, FormOrder, Generation, Incarnation, KeyVersion, MemberId, RaftGeneration,
};

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
    /// The directory that the Raft log is in.
    pub raft_generation: RaftGeneration,
    /// The round of the rotation that made the master key; 0 for the first one.
    pub master_round: u64,
    /// The round of the order that the member's form, sealed or plain, follows; 0: as it was configured.
    pub encryption_round: u64,
    /// The change of form that the next start carries out.
    pub form_order: Option<FormOrder>,
    /// Whether the memory of the keys is locked.
    pub memory_locked: bool,
    /// Versions of the node master key, oldest first.
    pub masters: Vec<MasterKeyReport>,
    /// Versions of the raft key, oldest first; the last is current.
    pub raft: Vec<DataKeyReport>,
    /// The key of the audit log.
    pub audit: Option<DataKeyReport>,
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

/// A version of a raft, database or audit key.
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
    /// The round of the rotation that made its newest key; 0 for the first one.
    pub round: u64,
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
            round: database.round,
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
            raft_generation: body.raft_generation,
            master_round: body.master_round,
            encryption_round: body.encryption_round,
            form_order: body.form_order,
            memory_locked,
            masters: masters.collect(),
            raft: data_keys(&body.raft),
            audit: body.audit.as_ref().map(data_key),
            databases: databases.collect(),
            tombstones: tombstones.collect(),
        }
    }
}

fn data_keys(entries: &[KeyEntry]) -> Vec<DataKeyReport> {
    entries.iter().map(data_key).collect()
}

fn data_key(entry: &KeyEntry) -> DataKeyReport {
    DataKeyReport { version: entry.version, created: entry.created, wrapped_by: entry.wrapped_by }
}
