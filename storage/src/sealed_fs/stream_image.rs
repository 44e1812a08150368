//! A stream file read at random: RocksDB opens CURRENT so, and nothing large. It is loaded whole.

use super::error::Result;
use super::file_traits::RandomRead;

/// Greatest stream file that is read at random: 64 MiB. CURRENT has 16 bytes.
pub(super) const MAX_IMAGE: usize = 64 << 20;

/// All plaintext of a stream file.
pub(super) struct StreamImage(pub(super) Vec<u8>);

impl RandomRead for StreamImage {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let part = &self.0[from..];
        let n = part.len().min(buf.len());
        buf[..n].copy_from_slice(&part[..n]);
        Ok(n)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }
}
