//! Files as RocksDB writes them, byte for byte: what encryption off means.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::disk::{DiskFile, read_full, write_full};
use super::error::{Result, SealedFsError};
use super::file_traits::{Poison, RandomRead, Writable};

/// A plain file being read.
pub(super) struct PlainReader {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
}

impl PlainReader {
    pub(super) fn new(file: Arc<dyn DiskFile>, path: PathBuf) -> Self {
        Self { file, path }
    }
}

impl RandomRead for PlainReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        read_full(&*self.file, buf, offset).map_err(|e| SealedFsError::io("read", &self.path, e))
    }

    fn len(&self) -> Result<u64> {
        self.file.size().map_err(|e| SealedFsError::io("size", &self.path, e))
    }
}

/// A plain file being written. Buffers nothing.
pub(super) struct PlainWriter {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    state: Mutex<(u64, Poison)>,
    syncing: Mutex<()>,
}

impl PlainWriter {
    /// Writes on from `end`.
    pub(super) fn new(file: Arc<dyn DiskFile>, path: PathBuf, end: u64) -> Self {
        let state = Mutex::new((end, Poison::default()));
        Self { file, path, state, syncing: Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Poison)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writable for PlainWriter {
    fn append(&self, data: &[u8]) -> Result<()> {
        let (end, poison) = &mut *self.lock();
        poison.check(&self.path)?;
        write_full(&*self.file, data, *end).map_err(|e| {
            poison.set("write");
            SealedFsError::io("write", &self.path, e)
        })?;
        *end += data.len() as u64;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.lock().1.check(&self.path)
    }

    fn sync(&self) -> Result<()> {
        let _turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.flush()?;
        self.file.sync().map_err(|e| {
            self.lock().1.set("sync");
            SealedFsError::io("sync", &self.path, e)
        })
    }

    fn close(&self) -> Result<()> {
        self.flush()
    }

    fn len(&self) -> u64 {
        self.lock().0
    }
}
