//! Rotation of the raft key, and what makes a dropped database's entries unreadable.

use std::{collections::BTreeSet, path::PathBuf};

use coffer_keyring::{KeyOwner, KeyVersion};

use super::{DropState, database_key::old_files};
use crate::{engine::Engine, error::StorageError, sealed_fs::sealed_files};

/// Drops that are told as shredded; older ones are forgotten.
const REMEMBERED_DROPS: usize = 256;

/// A rewrite of the log's files.
pub struct LogRewrite {
    /// Every older key is destroyed at the end.
    version: KeyVersion,
    /// The log was purged through this index before the key was made: drops up to it are shredded at the end.
    purged: Option<u64>,
    /// The files that there were when it began. With encryption off, their absence is what shows that it is done.
    before: BTreeSet<PathBuf>,
}

impl LogRewrite {
    /// Whether its end shreds the drop at `index`.
    pub fn shreds(&self, index: u64) -> bool {
        self.purged.is_some_and(|purged| purged >= index)
    }
}

impl Engine {
    /// Gives the log a new key, at once; its files are rewritten in the background, also after a restart, and the old key
    /// is destroyed then. To be called when the master key was replaced. Blocks for a replacement of the keystore.
    ///
    /// # Errors
    /// The keystore cannot be replaced.
    pub fn request_raft_rotation(&self) -> Result<(), StorageError> {
        self.keyring.rotate_raft_key()?;
        Ok(())
    }

    /// Whether files of the log may still be sealed under an older key than the newest.
    pub fn raft_rotation_pending(&self) -> bool {
        self.keyring.versions(KeyOwner::Raft).len() > 1
    }

    /// The databases that were dropped, in the order of the drops: those that are not shredded here, and the last that
    /// are.
    pub fn shred_states(&self) -> Vec<DropState> {
        let end = self.log.shredded_end();
        let tombstones = self.keyring.tombstones().into_iter();
        let mut drops: Vec<_> = tombstones
            .map(|(database_id, log_index)| DropState { database_id, log_index, shredded: log_index < end })
            .collect();
        drops.sort_by_key(|drop| (drop.log_index, drop.database_id));
        drops
    }

    /// Log index of the last drop that is not shredded.
    pub(crate) fn last_unshredded(&self) -> Option<u64> {
        self.shred_states().iter().filter(|drop| !drop.shredded).map(|drop| drop.log_index).max()
    }

    /// Begins a rewrite of the log's files under the newest key there is. With `shred` that is a new one, made when what
    /// was purged is in no file any more, so that it never seals any of it. `None` where that has not come off: ask again.
    /// Blocks as long as writing the log anew takes.
    ///
    /// # Errors
    /// The disk fails: the member has to stop.
    pub(crate) fn begin_log_rewrite(&self, shred: bool) -> Result<Option<LogRewrite>, StorageError> {
        let purged = self.log.purged().map(|id| id.index).filter(|_| shred);
        if shred {
            if self.is_stopping() || !self.log.drop_purged()? {
                return Ok(None);
            }
            self.keyring.rotate_raft_key()?;
        }
        let version = self.keyring.versions(KeyOwner::Raft).last().copied().unwrap_or(KeyVersion::FIRST);
        Ok(Some(LogRewrite { version, purged, before: self.log_file_names()? }))
    }

    /// One step of it. Answers whether it is done: old keys destroyed, and noted what is shredded. Blocks for as long as
    /// rewriting the log takes.
    ///
    /// # Errors
    /// The disk fails: the member has to stop.
    pub(crate) fn step_log_rewrite(&self, rewrite: &LogRewrite) -> Result<bool, StorageError> {
        if self.is_stopping() {
            return Ok(false);
        }
        if !self.log_files_to_go(rewrite)?.is_empty() {
            self.log.rewrite_files(&self.log_files_to_go(rewrite)?)?;
            if !self.log_files_to_go(rewrite)?.is_empty() {
                return Ok(false);
            }
        }
        self.keyring.retire_raft_keys_before(rewrite.version)?;
        if let Some(purged) = rewrite.purged {
            self.log.write_shredded(purged)?;
        }
        Ok(true)
    }

    /// Forgets drops that are shredded, but for the last, so that they can be told.
    pub(crate) fn forget_old_drops(&self) -> Result<(), StorageError> {
        let shredded: Vec<_> = self.shred_states().into_iter().filter(|drop| drop.shredded).collect();
        if let Some(last) = shredded.len().checked_sub(REMEMBERED_DROPS + 1) {
            self.keyring.prune_tombstones(shredded[last].log_index)?;
        }
        Ok(())
    }

    pub(crate) fn log_files_to_go(&self, rewrite: &LogRewrite) -> Result<Vec<PathBuf>, StorageError> {
        if !self.keyring.encryption_enabled() {
            return Ok(self.log_file_names()?.intersection(&rewrite.before).cloned().collect());
        }
        let files = sealed_files(&**self.opener.disk(), &self.log_dir())?;
        Ok(old_files(&files, rewrite.version))
    }

    /// All files of the log but those whose names stay: CURRENT, which is replaced with the MANIFEST, and LOCK, which is
    /// empty.
    fn log_file_names(&self) -> Result<BTreeSet<PathBuf>, StorageError> {
        let dir = self.log_dir();
        let names = self
            .opener
            .disk()
            .list(&dir)
            .map_err(|error| StorageError::io(format!("list {}", dir.display()), error))?;
        Ok(names
            .into_iter()
            .filter(|name| name != "CURRENT" && name != "LOCK")
            .map(|name| dir.join(name))
            .collect())
    }

    fn log_dir(&self) -> PathBuf {
        self.options.raft_dir(self.keyring.raft_generation())
    }
}
