//! Receives a snapshot into a staging generation, under keys of this member.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use coffer_keyring::{DatabaseId, Generation, StagedKey};
use coffer_proto::internal::v1::{
    CheckpointDatabase, SnapshotChunk, SnapshotDatabase, SnapshotHeader, SnapshotTrailer,
};
use rocksdb::{DB, WriteBatch, WriteOptions};

use super::{SnapshotSource, StagedGeneration, digest::DatabaseDigest};
use crate::{
    engine::{ADMIN, Engine, FEATURE, database_dir, stored_membership},
    error::StorageError,
    instance::{DatabaseInstance, FixedKey, NoKeys, OpenKind, opener::remove_tree},
    raft::{Snapshot, SnapshotMeta, Vote, wire},
    sealed_fs::KeySource,
};

/// A snapshot on its way in. Dropped before it is finished, it leaves nothing.
pub struct SnapshotReceiver {
    engine: Arc<Engine>,
    vote: Vote,
    meta: SnapshotMeta,
    expected: u64,
    staged: StagedGeneration,
    open: Option<OpenDatabase>,
    received: Vec<SnapshotDatabase>,
}

struct OpenDatabase {
    db: DB,
    digest: DatabaseDigest,
    last_key: Option<Vec<u8>>,
}

impl SnapshotReceiver {
    /// Begins with the header. Blocks.
    ///
    /// # Errors
    /// The header is no good, or the disk refuses.
    pub fn begin(engine: &Arc<Engine>, header: &SnapshotHeader) -> Result<Self, StorageError> {
        let refuse = |why: String| StorageError::Snapshot(why);
        wire::check_format("snapshot header", header.format).map_err(|error| refuse(error.to_string()))?;
        if header.feature > FEATURE {
            return Err(StorageError::Feature { needed: header.feature, known: FEATURE });
        }
        let vote = header.vote.as_ref().ok_or_else(|| refuse("the header lacks the vote".to_owned()))?;
        let vote = wire::vote_from_pb(vote);
        let last =
            header.last_log_id.as_ref().ok_or_else(|| refuse("the header lacks the log id".to_owned()))?;
        let membership =
            header.membership.as_ref().ok_or_else(|| refuse("the header lacks the membership".to_owned()))?;
        let last_membership =
            wire::stored_membership_from_pb(membership).map_err(|error| refuse(error.to_string()))?;
        let meta = SnapshotMeta { last_log_id: Some(wire::log_id_from_pb(last)), last_membership };
        if *wire::log_id_from_pb(last).leader_id > vote.leader_id.term {
            return Err(refuse("it holds entries of a later term than its leader's".to_owned()));
        }
        let place = engine.staging.take().ok_or_else(|| {
            refuse("another snapshot is being received or installed: send it again later".to_owned())
        })?;
        let generation = Generation(engine.keyring.generation().0 + 1);
        let dir = engine.options.generation_dir(generation.0);
        let disk = engine.opener.disk().clone();
        // Left by an earlier try that a crash ended.
        remove_tree(&*disk, &dir)?;
        Ok(Self {
            engine: engine.clone(),
            vote,
            meta,
            expected: header.databases,
            staged: StagedGeneration {
                generation,
                dir,
                disk,
                databases: Vec::new(),
                keys: Mutex::new(Some(Vec::new())),
                _place: place,
            },
            open: None,
            received: Vec::new(),
        })
    }

    /// Takes entries in. A database's chunks follow each other, keys ascending. Blocks.
    ///
    /// # Errors
    /// The order is wrong, or the disk refuses.
    pub fn chunk(&mut self, chunk: &SnapshotChunk) -> Result<(), StorageError> {
        if chunk.keys.len() != chunk.values.len() || chunk.column_family != 0 {
            return Err(StorageError::Snapshot("a chunk is malformed".to_owned()));
        }
        if self.open.as_ref().is_none_or(|open| open.digest.database() != chunk.database_id) {
            self.finish_database()?;
            self.open_database(chunk.database_id)?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut batch = WriteBatch::default();
        for (key, value) in chunk.keys.iter().zip(&chunk.values) {
            if open.last_key.as_deref().is_some_and(|last| last >= key.as_ref()) {
                return Err(StorageError::Snapshot("keys do not ascend".to_owned()));
            }
            open.digest.add(0, key, value);
            batch.put(key, value);
            open.last_key = Some(key.to_vec());
        }
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        let engine_error =
            |source| StorageError::Engine { instance: database_dir(DatabaseId(chunk.database_id)), source };
        open.db.write_opt(batch, &options).map_err(engine_error)
    }

    /// Ends with the trailer: what was received must be what was sent. Blocks.
    ///
    /// # Errors
    /// Something is missing or differs, or the disk refuses.
    pub fn finish(mut self, trailer: &SnapshotTrailer) -> Result<(Vote, Snapshot), StorageError> {
        self.finish_database()?;
        if self.received.len() as u64 != self.expected || self.received != trailer.databases {
            return Err(StorageError::Snapshot("what arrived is not what was sent".to_owned()));
        }
        if !self.received.iter().any(|database| database.database_id == ADMIN.0) {
            return Err(StorageError::Snapshot("it lacks the admin database".to_owned()));
        }
        let disk = &*self.staged.disk;
        disk.sync_dir(&self.staged.dir)
            .map_err(|error| StorageError::io("sync the staged generation", error))?;
        let data = SnapshotSource::Staged(Arc::new(self.staged));
        Ok((self.vote, Snapshot { meta: self.meta, snapshot: data }))
    }

    fn open_database(&mut self, id: u64) -> Result<(), StorageError> {
        if self.received.iter().any(|received| received.database_id >= id) {
            return Err(StorageError::Snapshot("databases do not ascend".to_owned()));
        }
        if self.received.len() as u64 >= self.expected {
            return Err(StorageError::Snapshot("more databases arrive than were announced".to_owned()));
        }
        let key = self.engine.keyring.stage_database_key(DatabaseId(id))?;
        let dir: PathBuf = self.staged.dir.join(database_dir(DatabaseId(id)));
        let db = self.engine.opener.open(OpenKind::Database, &dir, key_source(&key), true)?;
        if let Ok(keys) = self.staged.keys.get_mut() {
            keys.get_or_insert_default().push(key);
        }
        self.open = Some(OpenDatabase { db, digest: DatabaseDigest::new(id), last_key: None });
        Ok(())
    }

    /// Puts the open database on stable storage, and compares what it says of itself with the label of the snapshot.
    fn finish_database(&mut self) -> Result<(), StorageError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let id = DatabaseId(open.digest.database());
        open.db.flush().map_err(|source| StorageError::Engine { instance: database_dir(id), source })?;
        open.db.cancel_all_background_work(true);
        let instance = DatabaseInstance::new(id, &self.staged.dir.join(database_dir(id)), open.db)?;
        let label_end = self.meta.last_log_id.map_or(0, |id| id.index + 1);
        if instance.writes_end() > label_end {
            return Err(StorageError::Snapshot(
                "a database holds writes beyond the snapshot's log id".to_owned(),
            ));
        }
        if id == ADMIN && stored_membership(&instance)? != self.meta.last_membership {
            return Err(StorageError::Snapshot("its membership is not the one of its data".to_owned()));
        }
        self.staged
            .databases
            .push(CheckpointDatabase { database_id: id.0, writes_end: instance.writes_end() });
        self.received.push(open.digest.finish());
        Ok(())
    }
}

/// The staged key alone; with encryption off there is none, and none is asked for.
fn key_source(key: &StagedKey) -> Arc<dyn KeySource> {
    match key.key() {
        Some(key) => Arc::new(FixedKey::new(key)),
        None => Arc::new(NoKeys),
    }
}
