//! The replica set's own records, as they are read. They are written by [`PutSystemRecord`] alone.
//!
//! [`PutSystemRecord`]: coffer_proto::internal::v1::PutSystemRecord

use bytes::Bytes;
use coffer_proto::internal::v1;
use rocksdb::{IteratorMode, ReadOptions};
use tokio::sync::watch;

use super::{Engine, SystemKind};
use crate::{
    error::StorageError,
    instance::{DatabaseInstance, Key},
    raft::wire,
};

/// One of the replica set's own records.
#[derive(Clone, PartialEq, Eq)]
pub struct SystemRecord {
    /// Log index of the entry that wrote it: what the next write of it expects.
    pub revision: u64,
    /// Its bytes; what they mean is known to who wrote them.
    pub value: Bytes,
}

impl std::fmt::Debug for SystemRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemRecord").field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Engine {
    /// A record of the present state; `None` where there is none.
    ///
    /// # Errors
    /// The engine is closing, or the disk fails.
    pub fn system_record(&self, kind: SystemKind, id: &str) -> Result<Option<SystemRecord>, StorageError> {
        let admin = self.admin()?;
        admin.get(&Key::system(kind.number(), id))?.map(|bytes| decode(&admin, &bytes)).transpose()
    }

    /// All records of a kind with their ids, in the order of the ids.
    ///
    /// # Errors
    /// As [`Engine::system_record`].
    pub fn system_records(&self, kind: SystemKind) -> Result<Vec<(String, SystemRecord)>, StorageError> {
        let admin = self.admin()?;
        let prefix = Key::system(kind.number(), "");
        let mut records = Vec::new();
        for item in iterate(&admin, prefix.clone()) {
            let (key, value) = item.map_err(|error| admin.engine(error))?;
            let id = String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default()).into_owned();
            records.push((id, decode(&admin, &value)?));
        }
        Ok(records)
    }

    /// Changes whenever a system record may have: after each write of one, and after a snapshot was installed.
    pub fn system_changes(&self) -> watch::Receiver<u64> {
        self.system_changes.subscribe()
    }

    pub(crate) fn note_system_change(&self) {
        self.system_changes.send_modify(|count| *count += 1);
    }
}

type KeyAndValue = (Box<[u8]>, Box<[u8]>);

/// Walks over the keys that start with `prefix`.
pub(super) fn iterate(
    admin: &DatabaseInstance,
    prefix: Vec<u8>,
) -> impl Iterator<Item = Result<KeyAndValue, rocksdb::Error>> {
    let mut options = ReadOptions::default();
    options.set_iterate_upper_bound(Key::after_prefix(&prefix));
    options.set_iterate_lower_bound(prefix);
    admin.db().iterator_opt(IteratorMode::Start, options)
}

/// Reads a record's bytes.
pub(super) fn decode(admin: &DatabaseInstance, bytes: &[u8]) -> Result<SystemRecord, StorageError> {
    let record: v1::SystemRecord = wire::decode("system record", bytes, |r: &v1::SystemRecord| r.format)
        .map_err(|error| admin.record(error))?;
    Ok(SystemRecord { revision: record.revision, value: record.value })
}
