//! Writes a block file.
//!
//! Invariants: the last chunk, even a full one, stays buffered until it is known to be the last
//! (sync or close) or not to be (more bytes come), so that its flag is right; a chunk that was
//! sealed as last and grows is sealed again under a new nonce.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use super::block_layout::{SEALED_CHUNK_LEN, chunk_aad, chunk_offset};
use super::cipher::{FileCipher, NONCE_LEN};
use super::disk::{DiskFile, write_full};
use super::error::{Result, SealedFsError};
use super::file_traits::{Poison, Writable};
use super::header::CHUNK_LEN;

/// Sealed bytes gathered before they are handed to the operating system.
const OUT_LEN: usize = 64 * SEALED_CHUNK_LEN;

/// A block file being written.
pub(super) struct BlockWriter {
    file: Arc<dyn DiskFile>,
    cipher: FileCipher,
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// Plaintext of the chunk at `index`.
    tail: Vec<u8>,
    index: u64,
    /// The tail as it is now stands on disk, sealed as the last chunk.
    tail_sealed: bool,
    /// Sealed chunks that end before `index`.
    out: Vec<u8>,
    nonce_prefix: [u8; 8],
    nonce_counter: u32,
    closed: bool,
    poison: Poison,
}

impl BlockWriter {
    /// Takes a new file that holds its header, its cipher, and 8 random bytes.
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        cipher: FileCipher,
        path: PathBuf,
        nonce_prefix: [u8; 8],
    ) -> Self {
        let state = State {
            tail: Vec::new(),
            index: 0,
            tail_sealed: false,
            out: Vec::new(),
            nonce_prefix,
            nonce_counter: 0,
            closed: false,
            poison: Poison::default(),
        };
        Self { file, cipher, path, state: Mutex::new(state) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals the tail at the end of `out`.
    fn seal_tail(&self, state: &mut State, last: bool) -> Result<()> {
        let mut nonce = [0u8; NONCE_LEN];
        nonce[..8].copy_from_slice(&state.nonce_prefix);
        nonce[8..].copy_from_slice(&state.nonce_counter.to_le_bytes());
        state.nonce_counter = state.nonce_counter.checked_add(1).ok_or_else(|| SealedFsError::Limit {
            path: self.path.clone(),
            what: "a block file ends at 16 TiB",
        })?;
        state.out.extend_from_slice(&nonce);
        let from = state.out.len();
        state.out.extend_from_slice(&state.tail);
        let tag = self.cipher.seal(nonce, &chunk_aad(state.index, last), &mut state.out[from..]);
        state.out.extend_from_slice(&tag);
        Ok(())
    }

    /// Writes `out`, whose first chunk is chunk number `first`.
    fn write_out(&self, state: &mut State, first: u64) -> Result<()> {
        let written = write_full(&*self.file, &state.out, chunk_offset(first));
        state.out.clear();
        written.map_err(|e| {
            state.poison.set("write");
            SealedFsError::io("write", &self.path, e)
        })?;
        Ok(())
    }

    /// Puts the tail on disk as the last chunk, if it is not there.
    fn finish_tail(&self, state: &mut State) -> Result<()> {
        if !state.tail_sealed {
            self.seal_tail(state, true)?;
            let index = state.index;
            self.write_out(state, index)?;
            state.tail_sealed = true;
        }
        Ok(())
    }
}

impl Writable for BlockWriter {
    fn append(&self, mut data: &[u8]) -> Result<()> {
        let state = &mut *self.lock();
        state.poison.check(&self.path)?;
        let mut first = state.index;
        while !data.is_empty() {
            if state.tail.len() == CHUNK_LEN {
                self.seal_tail(state, false)?;
                state.tail.clear();
                state.index += 1;
                if state.out.len() >= OUT_LEN {
                    self.write_out(state, first)?;
                    first = state.index;
                }
            }
            let take = data.len().min(CHUNK_LEN - state.tail.len());
            state.tail.extend_from_slice(&data[..take]);
            state.tail_sealed = false;
            data = &data[take..];
        }
        if !state.out.is_empty() {
            self.write_out(state, first)?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        // The tail waits for sync or close; readers open a block file only after that.
        self.lock().poison.check(&self.path)
    }

    fn sync(&self) -> Result<()> {
        {
            let state = &mut *self.lock();
            state.poison.check(&self.path)?;
            self.finish_tail(state)?;
        }
        self.file.sync().map_err(|e| {
            self.lock().poison.set("sync");
            SealedFsError::io("sync", &self.path, e)
        })
    }

    fn close(&self) -> Result<()> {
        let state = &mut *self.lock();
        if state.closed {
            return Ok(());
        }
        state.closed = true;
        state.poison.check(&self.path)?;
        self.finish_tail(state)?;
        state.out = Vec::new();
        Ok(())
    }

    fn len(&self) -> u64 {
        let state = self.lock();
        state.index * CHUNK_LEN as u64 + state.tail.len() as u64
    }
}

impl Drop for BlockWriter {
    fn drop(&mut self) {
        // Nobody to tell: whoever dropped it without closing did not want the file.
        let _ = self.close();
    }
}
