//! What openraft hands around as a snapshot's data.

use std::sync::Arc;

use bytes::Bytes;
use coffer_proto::{
    internal::v1::{SnapshotChunk, SnapshotHeader, SnapshotMessage, SnapshotTrailer, snapshot_message::Body},
    wire::SNAPSHOT_CHUNK_BYTES,
};

use super::{PinnedView, StagedGeneration, digest::DatabaseDigest};
use crate::{
    engine::FEATURE,
    error::StorageError,
    raft::{Vote, wire},
};

/// A view to be sent, or a received generation to be installed.
#[derive(Clone)]
pub enum SnapshotSource {
    /// This member's own state.
    View(Arc<PinnedView>),
    /// What was received from the leader.
    Staged(Arc<StagedGeneration>),
}

impl std::fmt::Debug for SnapshotSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::View(_) => "pinned view",
            Self::Staged(_) => "staged generation",
        })
    }
}

impl SnapshotSource {
    /// Calls `send` with header, chunks and trailer, until it answers false. Blocks.
    ///
    /// # Errors
    /// [`StorageError::DatabaseNotFound`] where a database was dropped meanwhile: take a new view. The disk fails, or
    /// this is no view.
    pub fn send_messages(
        &self,
        vote: &Vote,
        mut send: impl FnMut(SnapshotMessage) -> bool,
    ) -> Result<(), StorageError> {
        let Self::View(view) = self else {
            return Err(StorageError::Snapshot("a received snapshot is installed, not sent on".to_owned()));
        };
        let _sending = view.sending();
        let mut send = |body| send(SnapshotMessage { body: Some(body) });
        let meta = view.meta();
        let header = SnapshotHeader {
            format: wire::FORMAT,
            vote: Some(wire::vote_to_pb(vote)),
            last_log_id: meta.last_log_id.as_ref().map(wire::log_id_to_pb),
            membership: Some(wire::stored_membership_to_pb(&meta.last_membership)),
            feature: FEATURE,
            databases: view.databases().len() as u64,
        };
        if !send(Body::Header(header)) {
            return Ok(());
        }
        let mut trailer = SnapshotTrailer::default();
        for (instance, pinned) in view.databases() {
            let id = instance.id();
            let mut digest = DatabaseDigest::new(id.0);
            let mut chunk = empty_chunk(id.0);
            let mut bytes = 0;
            let mut iterator = pinned.iterate(None, None, true);
            iterator.seek_to_first();
            while let Some((key, value)) = iterator.item() {
                digest.add(0, key, value);
                bytes += key.len() + value.len();
                chunk.keys.push(Bytes::copy_from_slice(key));
                chunk.values.push(Bytes::copy_from_slice(value));
                if bytes >= SNAPSHOT_CHUNK_BYTES {
                    bytes = 0;
                    if !send(Body::Chunk(std::mem::replace(&mut chunk, empty_chunk(id.0)))) {
                        return Ok(());
                    }
                }
                iterator.next();
            }
            iterator.status().map_err(|error| {
                // A drop takes key and files away under the view: no fault of this member, and a later view is whole.
                if instance.is_closed() { StorageError::DatabaseNotFound(id) } else { instance.engine(error) }
            })?;
            if !send(Body::Chunk(chunk)) {
                return Ok(());
            }
            trailer.databases.push(digest.finish());
        }
        send(Body::Trailer(trailer));
        Ok(())
    }
}

fn empty_chunk(database_id: u64) -> SnapshotChunk {
    SnapshotChunk { database_id, ..SnapshotChunk::default() }
}
