//! Rewrites the log's files, and notes what is shredded by it.

use std::path::PathBuf;

use coffer_proto::internal::v1::{RecordLogId, StoredLogId};
use prost::Message;

use super::{LogKey, LogStore, state::engine};
use crate::{
    error::StorageError,
    instance::rewrite::{Leftovers, begin_new_files, compact, remove_unused},
    raft::wire,
};

impl LogStore {
    /// Does what makes the files `old` go. Blocks as long as writing the log anew takes; appends go on.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) fn rewrite_files(&self, old: &[PathBuf]) -> Result<(), StorageError> {
        let inner = &self.inner;
        let result = (|| {
            let leftovers = Leftovers::of(&inner.db, old).map_err(engine)?;
            if leftovers.others {
                begin_new_files(&inner.db, "raft", |batch| inner.write(batch))?;
            }
            if leftovers.others || leftovers.tables {
                compact(&inner.db);
            }
            remove_unused(&inner.db).map_err(engine)
        })();
        result.inspect_err(|error| drop(inner.fail(error)))
    }

    /// Writes the log anew without what was purged. Answers whether every table was replaced, so that no entry which was
    /// purged before is in a file any more. Blocks as long as that takes; appends go on.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) fn drop_purged(&self) -> Result<bool, StorageError> {
        let inner = &self.inner;
        let tables = || -> Result<Vec<String>, StorageError> {
            Ok(inner.db.live_files().map_err(engine)?.into_iter().map(|file| file.name).collect())
        };
        let result = (|| {
            inner.db.flush().map_err(engine)?;
            let before = tables()?;
            compact(&inner.db);
            let after = tables()?;
            Ok(!before.iter().any(|name| after.contains(name)))
        })();
        result.inspect_err(|error| drop(inner.fail(error)))
    }

    /// Ends a rewrite that is under way, and refuses those to come.
    pub(crate) fn end_rewrite(&self) {
        crate::instance::live::end_manual_compactions(&self.inner.db);
    }

    /// One more than the index through which drops of databases are shredded.
    pub fn shredded_end(&self) -> u64 {
        self.inner.state().shredded_end
    }

    /// Whether what is remembered of a member is on disk.
    #[cfg(test)]
    pub(crate) fn has_peer_record(&self, member: u64) -> bool {
        self.inner.db.get(LogKey::peer(member)).is_ok_and(|record| record.is_some())
    }

    /// Notes that drops through `index` are shredded. Blocks until that is on stable storage.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) fn write_shredded(&self, index: u64) -> Result<(), StorageError> {
        let record = StoredLogId { format: wire::FORMAT, log_id: Some(RecordLogId { term: 0, index }) };
        self.inner.put(LogKey::SHREDDED, &record.encode_to_vec())?;
        self.sync().map_err(|error| StorageError::io("sync the log", error))?;
        let mut state = self.inner.state();
        state.shredded_end = state.shredded_end.max(index + 1);
        Ok(())
    }
}
