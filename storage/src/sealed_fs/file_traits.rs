//! What RocksDB sees of an open file: plaintext bytes and logical offsets.

use super::error::{Result, SealedFsError};

/// A file read in order.
pub(super) trait SequentialRead: Send {
    /// Fills `buf` as far as the file goes; fewer bytes mean the end, and only that: whatever
    /// stands in the way is an error even if some bytes could be read before it.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize>;

    /// Passes over `n` bytes.
    fn skip(&mut self, n: u64) -> Result<()> {
        let mut sink = vec![0u8; usize::try_from(n.min(64 << 10)).unwrap_or(64 << 10)];
        let mut left = n;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(sink.len());
            match self.read(&mut sink[..want])? {
                0 => break,
                got => left -= got as u64,
            }
        }
        Ok(())
    }
}

/// A file read at random, from several threads.
pub(super) trait RandomRead: Send + Sync {
    /// Fills `buf` from a logical offset as far as the file goes.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;
    /// Logical size.
    fn len(&self) -> Result<u64>;
}

/// A file written in order, from several threads.
pub(super) trait Writable: Send + Sync {
    /// Adds bytes at the end.
    fn append(&self, data: &[u8]) -> Result<()>;
    /// Hands all appended bytes to the operating system.
    fn flush(&self) -> Result<()>;
    /// Makes all appended bytes durable.
    fn sync(&self) -> Result<()>;
    /// Hands everything over and ends writing; a second call does nothing.
    fn close(&self) -> Result<()>;
    /// Logical size.
    fn len(&self) -> u64;
}

/// The write state that an I/O error leaves behind: after a failed write or sync nobody knows what
/// is on disk (a failed `fsync` may have dropped the pages), so the file takes nothing more.
#[derive(Debug, Default)]
pub(super) struct Poison(Option<&'static str>);

impl Poison {
    /// Refuses to go on after a failure.
    pub(super) fn check(&self, path: &std::path::Path) -> Result<()> {
        match self.0 {
            None => Ok(()),
            Some(op) => Err(SealedFsError::Poisoned { path: path.to_owned(), op }),
        }
    }

    /// Remembers the first failure.
    pub(super) fn set(&mut self, op: &'static str) {
        self.0.get_or_insert(op);
    }
}

/// Reads a random-access file in order (checkpoints copy block files this way).
pub(super) struct Cursor<R> {
    inner: R,
    offset: u64,
}

impl<R> Cursor<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, offset: 0 }
    }
}

impl<R: RandomRead> SequentialRead for Cursor<R> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let n = self.inner.read_at(self.offset, buf)?;
        self.offset += n as u64;
        Ok(n)
    }

    fn skip(&mut self, n: u64) -> Result<()> {
        self.offset = self.offset.saturating_add(n).min(self.inner.len()?.max(self.offset));
        Ok(())
    }
}
