//! The file as a whole: read with a limit, replaced atomically.
//!
//! Invariants:
//! - After a crash at any step the file is the old one or the new one.
//! - After a failure that leaves open which of the two it is, nothing is written any more: memory
//!   and disk could differ.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::envelope::DecodeError;
use super::{Disk, Envelope, FORMAT, FileError, MAX_LEN};

pub(crate) struct KeystoreFile {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    failed: bool,
}

impl KeystoreFile {
    pub(crate) fn new(path: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { path: path.to_owned(), disk, failed: false }
    }

    /// Another handle on the same file.
    pub(crate) fn again(&self) -> Self {
        Self::new(&self.path, Arc::clone(&self.disk))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads and parses the file; `None` when there is none.
    pub(crate) fn load(&self) -> Result<Option<Envelope>, FileError> {
        let read = self.disk.read(&self.path, MAX_LEN + 1);
        let Some(bytes) = read.map_err(|error| self.io("read", error))? else { return Ok(None) };
        self.check_len(bytes.len())?;
        Envelope::decode(&bytes).map(Some).map_err(|error| match error {
            DecodeError::UnknownFormat(found) => {
                FileError::UnknownFormat { path: self.path.clone(), found, known: FORMAT }
            }
            DecodeError::Malformed(detail) => self.damaged(detail),
        })
    }

    /// Refuses to go on when there is a file already.
    pub(crate) fn must_be_absent(&self) -> Result<(), FileError> {
        match self.disk.read(&self.path, 1) {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(FileError::Exists { path: self.path.clone() }),
            Err(error) => Err(self.io("read", error)),
        }
    }

    /// Makes the directory of the file and makes sure that it is still there after a crash.
    pub(crate) fn prepare_dir(&self) -> Result<(), FileError> {
        let dir = self.dir();
        self.disk.create_dir(&dir).map_err(|error| self.io("make the directory of", error))?;
        let above = match dir.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            _ => Path::new("."),
        };
        self.disk.sync_dir(above).map_err(|error| self.io("sync the directory above", error))
    }

    /// Puts `bytes` in the place of the file.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        if self.failed {
            return Err(FileError::FailStop { path: self.path.clone() });
        }
        self.check_len(bytes.len())?;
        let temporary = self.path.with_extension("json.tmp");
        if let Err(error) = self.disk.write_synced(&temporary, bytes) {
            // The old file stands untouched, so the caller may go on; what is left of the
            // temporary one is written over by the next replacement if it cannot be removed.
            let _ = self.disk.remove(&temporary);
            return Err(self.io("write", error));
        }
        let switched =
            self.disk.rename(&temporary, &self.path).and_then(|()| self.disk.sync_dir(&self.dir()));
        switched.map_err(|error| {
            self.failed = true;
            self.io("replace", error)
        })
    }

    pub(crate) fn damaged(&self, detail: impl Into<String>) -> FileError {
        FileError::Damaged { path: self.path.clone(), detail: detail.into() }
    }

    fn io(&self, what: &'static str, source: std::io::Error) -> FileError {
        FileError::Io { what, path: self.path.clone(), source }
    }

    fn check_len(&self, len: usize) -> Result<(), FileError> {
        if len as u64 > MAX_LEN {
            return Err(FileError::TooLarge { path: self.path.clone(), limit: MAX_LEN });
        }
        Ok(())
    }

    fn dir(&self) -> PathBuf {
        match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        }
    }
}
