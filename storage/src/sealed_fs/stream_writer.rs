//! Writes a stream file, frame by frame.
//!
//! Invariants
//! * Appended bytes become a frame at each flush, sync, close, or 256 KiB; a frame never spans two
//!   flushes, so what was flushed is on disk whole or not at all.
//! * The index of a frame is never used twice under one nonce prefix: after a failed write the
//!   file is poisoned, and reopening draws a new prefix.
//! * `synced` only grows, and only after an `fdatasync` that began after those bytes were written.
//! * After a sync with nothing behind it, a mark frame says so. The mark is not synced itself: if a
//!   power loss takes it, nothing is lost but the knowledge. With it, a flip in the last synced
//!   frame is damage and not a torn tail.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cipher::FileCipher;
use super::disk::{DiskFile, write_full};
use super::error::{Result, SealedFsError};
use super::file_traits::{Poison, Writable};
use super::frame::{FRAME_HEAD, FrameHead, MAX_FRAME};
use super::header::HEADER_LEN;

/// Buffers above this are given back after a flush, so that an idle file costs little.
const KEEP_BUFFER: usize = 16 << 10;

/// A stream file being written.
pub(super) struct StreamWriter {
    file: Arc<dyn DiskFile>,
    cipher: FileCipher,
    path: PathBuf,
    nonce_prefix: [u8; 8],
    state: Mutex<State>,
    syncing: Mutex<()>,
}

struct State {
    /// [`FRAME_HEAD`] free bytes and the plaintext of the next frame; empty when there is none.
    frame: Vec<u8>,
    /// Physical end: where the next frame goes.
    end: u64,
    index: u32,
    /// Physical offset known to be on stable storage.
    synced: u64,
    /// Physical end of the last frame with content; what is behind it are marks.
    data_end: u64,
    len: u64,
    closed: bool,
    poison: Poison,
}

/// Where an existing stream file goes on, found by [`super::stream_reader::StreamReader`].
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamEnd {
    /// Physical end of the last good frame.
    pub(super) end: u64,
    /// Index of the next frame.
    pub(super) index: u32,
    /// Logical size.
    pub(super) len: u64,
}

impl StreamWriter {
    /// Takes a new file that holds its header, its cipher, and 8 random bytes.
    pub(super) fn create(
        file: Arc<dyn DiskFile>,
        cipher: FileCipher,
        path: PathBuf,
        nonce_prefix: [u8; 8],
    ) -> Self {
        let end = StreamEnd { end: HEADER_LEN as u64, index: 0, len: 0 };
        Self::new(file, cipher, path, nonce_prefix, end, 0)
    }

    /// Goes on after the last good frame of an existing file: cuts what is behind it and makes
    /// the cut durable first, or old frames could come back behind new ones.
    pub(super) fn reopen(
        file: Arc<dyn DiskFile>,
        cipher: FileCipher,
        path: PathBuf,
        nonce_prefix: [u8; 8],
        end: StreamEnd,
    ) -> Result<Self> {
        file.truncate(end.end).map_err(|e| SealedFsError::io("truncate", &path, e))?;
        file.sync().map_err(|e| SealedFsError::io("sync", &path, e))?;
        Ok(Self::new(file, cipher, path, nonce_prefix, end, end.end))
    }

    fn new(
        file: Arc<dyn DiskFile>,
        cipher: FileCipher,
        path: PathBuf,
        nonce_prefix: [u8; 8],
        end: StreamEnd,
        synced: u64,
    ) -> Self {
        let state = State {
            frame: Vec::new(),
            end: end.end,
            index: end.index,
            synced,
            data_end: end.end,
            len: end.len,
            closed: false,
            poison: Poison::default(),
        };
        Self { file, cipher, path, nonce_prefix, state: Mutex::new(state), syncing: Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals and writes the buffered frame (or an empty one: a mark).
    fn write_frame(&self, state: &mut State) -> Result<()> {
        if state.frame.is_empty() {
            state.frame.resize(FRAME_HEAD, 0);
        }
        let len = u32::try_from(state.frame.len() - FRAME_HEAD).expect("append cuts frames at 256 KiB");
        let head = FrameHead::new(len, state.synced, self.nonce_prefix, state.index);
        let Some(next_index) = state.index.checked_add(1) else {
            let what = "a stream file ends at 2^32 frames";
            return Err(SealedFsError::Limit { path: self.path.clone(), what });
        };
        head.seal(&self.cipher, state.end, &mut state.frame);
        write_full(&*self.file, &state.frame, state.end).map_err(|e| {
            state.poison.set("write");
            SealedFsError::io("write", &self.path, e)
        })?;
        state.end += head.physical_len();
        state.index = next_index;
        state.frame.clear();
        state.frame.shrink_to(KEEP_BUFFER);
        Ok(())
    }

    /// Hands everything buffered to the operating system.
    fn write_pending(&self, state: &mut State) -> Result<()> {
        if state.frame.len() > FRAME_HEAD {
            self.write_frame(state)?;
            state.data_end = state.end;
        }
        Ok(())
    }
}

impl Writable for StreamWriter {
    fn append(&self, mut data: &[u8]) -> Result<()> {
        let state = &mut *self.lock();
        state.poison.check(&self.path)?;
        while !data.is_empty() {
            if state.frame.is_empty() {
                state.frame.resize(FRAME_HEAD, 0);
            }
            let take = data.len().min(FRAME_HEAD + MAX_FRAME - state.frame.len());
            state.frame.extend_from_slice(&data[..take]);
            state.len += take as u64;
            data = &data[take..];
            if state.frame.len() == FRAME_HEAD + MAX_FRAME {
                self.write_pending(state)?;
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        let state = &mut *self.lock();
        state.poison.check(&self.path)?;
        self.write_pending(state)
    }

    fn sync(&self) -> Result<()> {
        // One at a time: the system reports a failed sync once, and a second sync at the same time
        // could take that for its own success.
        let _turn = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let end = {
            let state = &mut *self.lock();
            state.poison.check(&self.path)?;
            self.write_pending(state)?;
            if state.synced >= state.data_end {
                return Ok(()); // only marks were written since the last sync
            }
            state.end
        };
        // Outside the state's lock: appends go on while the disk works.
        let synced = self.file.sync();
        let state = &mut *self.lock();
        if let Err(e) = synced {
            state.poison.set("sync");
            return Err(SealedFsError::io("sync", &self.path, e));
        }
        state.synced = state.synced.max(end);
        if state.end == end && state.frame.is_empty() && state.poison.check(&self.path).is_ok() {
            // What was to be synced is; a mark that cannot be written stops later writes only.
            let _ = self.write_frame(state);
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        let state = &mut *self.lock();
        if state.closed {
            return Ok(());
        }
        state.closed = true;
        state.poison.check(&self.path)?;
        self.write_pending(state)?;
        state.frame = Vec::new();
        Ok(())
    }

    fn len(&self) -> u64 {
        self.lock().len
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        // Nobody to tell: whoever dropped it without closing does not rely on its tail.
        let _ = self.close();
    }
}
