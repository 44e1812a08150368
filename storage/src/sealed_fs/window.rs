//! A buffered view of a file that is read from front to back, in pieces of any size.

use std::path::Path;

use super::disk::{DiskFile, read_full};
use super::error::{Result, SealedFsError};

/// Bytes read in one go, unless a caller asks for more.
const READ_LEN: usize = 256 << 10;

/// The last bytes read from a file. Holds no buffer until the first read.
#[derive(Default)]
pub(super) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The bytes from `offset` on: `len` of them, or fewer where the file ends. They may be
    /// changed by the caller (frames are opened in place), who then calls [`Self::forget`].
    pub(super) fn get(
        &mut self,
        file: &dyn DiskFile,
        path: &Path,
        offset: u64,
        len: usize,
    ) -> Result<&mut [u8]> {
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || offset + len as u64 > end {
            // What the file has behind the window bounds the buffer of a small file.
            let physical = file.size().map_err(|e| SealedFsError::io("size", path, e))?;
            let there = usize::try_from(physical.saturating_sub(offset)).unwrap_or(usize::MAX);
            self.bytes.resize(len.max(READ_LEN).min(there), 0);
            self.bytes.shrink_to(READ_LEN * 2);
            self.start = offset;
            let got =
                read_full(file, &mut self.bytes, offset).map_err(|e| SealedFsError::io("read", path, e))?;
            self.bytes.truncate(got);
        }
        let from = (offset - self.start) as usize;
        let to = (from + len).min(self.bytes.len());
        Ok(&mut self.bytes[from.min(to)..to])
    }

    /// Drops what was read; the next [`Self::get`] asks the file again.
    pub(super) fn forget(&mut self) {
        self.bytes = Vec::new();
    }
}
