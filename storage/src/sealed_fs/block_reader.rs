//! Reads a block file at random.
//!
//! Invariant: a byte handed out was authenticated under its chunk's index and the file's length;
//! the length itself is authenticated by the last chunk's flag.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use super::block_layout::{CHUNK_OVERHEAD, SEALED_CHUNK_LEN, chunk_aad, chunk_offset, sizes};
use super::cipher::{FileCipher, NONCE_LEN, TAG_LEN};
use super::disk::{DiskFile, read_full};
use super::error::{Result, SealedFsError};
use super::file_traits::RandomRead;
use super::header::CHUNK_LEN;

/// Sealed bytes read from the disk in one go: 64 chunks. Bounds the scratch that a thread keeps.
const MAX_SPAN: u64 = 64;

thread_local! {
    /// Where sealed chunks are read to: one buffer for each reading thread, not for each file.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An open block file.
pub(super) struct BlockReader {
    file: Arc<dyn DiskFile>,
    cipher: FileCipher,
    path: PathBuf,
    chunks: u64,
    len: u64,
}

impl BlockReader {
    /// Takes a file whose header was read and checked, `physical` bytes long.
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        cipher: FileCipher,
        path: PathBuf,
        physical: u64,
    ) -> Result<Self> {
        let (chunks, len) = sizes(physical);
        // A last chunk that is too short to hold a byte would never be asked for.
        let last_len = physical.saturating_sub(chunk_offset(chunks.saturating_sub(1)));
        let least = CHUNK_OVERHEAD as u64 + u64::from(chunks > 1);
        if chunks == 0 || last_len < least {
            return Err(SealedFsError::damaged(&path, physical, "cut short: it has no last chunk"));
        }
        Ok(Self { file, cipher, path, chunks, len })
    }

    /// Reads and opens chunks `first..=last` and copies what lies in the wanted range.
    fn read_span(&self, first: u64, last: u64, offset: u64, buf: &mut [u8]) -> Result<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            let span = (last - first + 1) as usize * SEALED_CHUNK_LEN;
            if scratch.len() < span {
                scratch.resize(span, 0);
            }
            let got = read_full(&*self.file, &mut scratch[..span], chunk_offset(first))
                .map_err(|e| SealedFsError::io("read", &self.path, e))?;
            let mut sealed = &mut scratch[..got];
            for index in first..=last {
                let here = sealed.len().min(SEALED_CHUNK_LEN);
                let (chunk, rest) = sealed.split_at_mut(here);
                sealed = rest;
                let plain = self.open_chunk(index, chunk)?;
                // The part of this chunk that was asked for.
                let start = index * CHUNK_LEN as u64;
                let from = offset.saturating_sub(start) as usize;
                let to = ((offset + buf.len() as u64 - start) as usize).min(CHUNK_LEN);
                let part = plain.get(from..to).ok_or_else(|| self.damaged(index))?;
                let at = (start + from as u64 - offset) as usize;
                buf[at..at + part.len()].copy_from_slice(part);
            }
            Ok(())
        })
    }

    fn open_chunk<'a>(&self, index: u64, chunk: &'a mut [u8]) -> Result<&'a [u8]> {
        if chunk.len() < CHUNK_OVERHEAD {
            return Err(self.damaged(index));
        }
        let (nonce, body) = chunk.split_at_mut(NONCE_LEN);
        let (data, tag) = body.split_at_mut(body.len() - TAG_LEN);
        let mut nonce_bytes = [0u8; NONCE_LEN];
        nonce_bytes.copy_from_slice(nonce);
        let mut tag_bytes = [0u8; TAG_LEN];
        tag_bytes.copy_from_slice(tag);
        let aad = chunk_aad(index, index + 1 == self.chunks);
        self.cipher.open(nonce_bytes, &aad, data, tag_bytes).map_err(|_| self.damaged(index))?;
        Ok(data)
    }

    fn damaged(&self, index: u64) -> SealedFsError {
        SealedFsError::damaged(&self.path, chunk_offset(index), "a chunk does not authenticate")
    }
}

impl RandomRead for BlockReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        if offset >= self.len || buf.is_empty() {
            if self.len == 0 {
                // An empty file says so under its key.
                self.read_span(0, 0, 0, &mut [])?;
            }
            return Ok(0);
        }
        let total = buf.len().min(usize::try_from(self.len - offset).unwrap_or(usize::MAX));
        let mut done = 0;
        while done < total {
            let at = offset + done as u64;
            let first = at / CHUNK_LEN as u64;
            let end_of_all = offset + total as u64;
            let last = ((end_of_all - 1) / CHUNK_LEN as u64).min(first + MAX_SPAN - 1);
            let end = end_of_all.min((last + 1) * CHUNK_LEN as u64);
            let next = done + (end - at) as usize;
            self.read_span(first, last, at, &mut buf[done..next])?;
            done = next;
        }
        Ok(total)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }
}
