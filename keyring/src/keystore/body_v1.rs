//! What a keystore of format 1 holds: read, and never written any more.
//!
//! Invariant: these types write the same compact JSON as the version that wrote the file, because its seal is over that.

use serde::{Deserialize, Serialize};

use super::{DatabaseEntry, KeyEntry, KeystoreBody, MasterEntry, Tombstone};
use crate::{ClusterId, DatabaseId, Generation, Incarnation, KeyVersion, MemberId, RaftGeneration};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodyV1 {
    cluster: ClusterId,
    member: MemberId,
    incarnation: Incarnation,
    generation: Generation,
    masters: Vec<MasterEntry>,
    raft: Vec<KeyEntry>,
    databases: Vec<DatabaseV1>,
    tombstones: Vec<Tombstone>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseV1 {
    id: DatabaseId,
    log_index: u64,
    keys: Vec<KeyEntry>,
}

impl From<BodyV1> for KeystoreBody {
    fn from(old: BodyV1) -> Self {
        let database =
            |DatabaseV1 { id, log_index, keys }: DatabaseV1| DatabaseEntry { id, log_index, round: 0, keys };
        Self {
            cluster: old.cluster,
            member: old.member,
            incarnation: old.incarnation,
            generation: old.generation,
            raft_generation: RaftGeneration(0),
            master_round: 0,
            encryption_round: 0,
            form_order: None,
            version_floor: KeyVersion(0),
            settings: None,
            audit: None,
            masters: old.masters,
            raft: old.raft,
            databases: old.databases.into_iter().map(database).collect(),
            tombstones: old.tombstones,
        }
    }
}
