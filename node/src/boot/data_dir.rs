//! Step 5: the data directory, made and locked.
//!
//! Invariant: nothing in the directory is touched before its lock is held; the lock lives as long as the process.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::BootError;

/// A data directory that belongs to this process.
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, for its owner alone, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, BootError> {
        let io = |what: &str, source| BootError::Directory {
            path: path.to_owned(),
            what: what.to_owned(),
            source,
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| io("be made", error))?;
        let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        // A directory whose name is lost in a power loss would take a member's vote with it.
        File::open(parent).and_then(|dir| dir.sync_all()).map_err(|error| io("be synced", error))?;
        let meta = path.metadata().map_err(|error| io("be read", error))?;
        if meta.mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "others may read the data directory: chmod 700 it");
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("LOCK"))
            .map_err(|error| io("be locked", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(BootError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(io("be locked", error)),
        }
    }

    /// The first directory of the Raft log; it moves when encryption is turned on or off.
    pub(crate) fn log_dir(&self) -> PathBuf {
        self.path.join("raft")
    }

    /// The directory of the audit log.
    pub(crate) fn audit_dir(&self) -> PathBuf {
        self.path.join("audit")
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Syncs the names in a directory.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_for_its_owner_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a").join("member");
        let first = DataDir::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        let second = DataDir::open(&path).err().unwrap();
        assert!(matches!(second, BootError::Locked { .. }));
        assert!(second.to_string().contains("another cofferd"), "{second}");
        drop(first);
        assert_eq!(DataDir::open(&path).unwrap().path(), path);
    }

    #[test]
    fn a_file_in_its_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("member");
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(DataDir::open(&path), Err(BootError::Directory { .. })));
    }
}
