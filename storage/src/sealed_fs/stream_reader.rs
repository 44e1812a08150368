//! Reads a stream file, frame by frame, and tells a torn tail from damage.
//!
//! A power loss keeps the pages that were not synced in any selection. So a frame that does not
//! hold is a *torn tail*, and a clean end of the file, if it was not known to be synced; else it is
//! *damage*, and an error. What was synced is told by the frames behind it: each carries the
//! offset synced when it was sealed, and a mark frame follows a sync with nothing behind it. The
//! search for such a frame tries every offset, for the bad frame's own length may be the damage.
//!
//! Invariants
//! * A frame is handed out only in its place: index, offset, length and mark are authenticated.
//! * An error is never hidden behind a short read: RocksDB's log reader takes that for the end.
//! * The position stays at the first frame that was not read, so a reader of a file that is still
//!   being written goes on when more is there.

use std::path::PathBuf;
use std::sync::Arc;

use super::cipher::{FileCipher, TAG_LEN};
use super::disk::DiskFile;
use super::error::{Result, SealedFsError};
use super::file_traits::SequentialRead;
use super::frame::{FRAME_HEAD, FrameHead, MAX_FRAME};
use super::header::HEADER_LEN;
use super::stream_writer::StreamEnd;
use super::window::Window;

/// An open stream file. Without a cipher it is an empty one (cut before its header was written).
pub(super) struct StreamReader {
    file: Arc<dyn DiskFile>,
    cipher: Option<FileCipher>,
    path: PathBuf,
    window: Window,
    /// Physical offset of the next frame.
    next: u64,
    index: u32,
    /// Logical bytes in all frames read.
    len: u64,
    /// Plaintext of the last frame, and how much of it was handed out.
    plain: Vec<u8>,
    taken: usize,
}

impl StreamReader {
    /// Takes a file whose header was read and checked; no cipher for one that has no header yet.
    pub(super) fn new(file: Arc<dyn DiskFile>, cipher: Option<FileCipher>, path: PathBuf) -> Self {
        Self {
            file,
            cipher,
            path,
            window: Window::default(),
            next: HEADER_LEN as u64,
            index: 0,
            len: 0,
            plain: Vec::new(),
            taken: 0,
        }
    }

    /// Reads all that is left, up to `limit` bytes.
    pub(super) fn read_all(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        while self.next_frame()? {
            all.extend_from_slice(&self.plain);
            if all.len() > limit {
                let what = "too large to be read at random";
                return Err(SealedFsError::Limit { path: self.path.clone(), what });
            }
        }
        self.plain.clear();
        Ok(all)
    }

    /// Reads to the last good frame and hands the cipher over, so that writing can go on there.
    pub(super) fn into_end(mut self) -> Result<(StreamEnd, Option<FileCipher>)> {
        while self.next_frame()? {}
        let end = StreamEnd { end: self.next, index: self.index, len: self.len };
        Ok((end, self.cipher))
    }

    /// Reads the next frame with content into `plain`; false at the end, torn or not.
    fn next_frame(&mut self) -> Result<bool> {
        if self.cipher.is_none() {
            return Ok(false);
        }
        loop {
            if !self.try_frame()? {
                if self.at_end()? || !self.synced_beyond_here()? {
                    return Ok(false);
                }
                // A writer may have finished this very frame between our two looks at it.
                self.window.forget();
                if !self.try_frame()? {
                    let what = "a frame that was synced does not authenticate";
                    return Err(SealedFsError::damaged(&self.path, self.next, what));
                }
            }
            if !self.plain.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Opens the frame at `next` and moves on; false if there is no good frame.
    fn try_frame(&mut self) -> Result<bool> {
        let Some(cipher) = &self.cipher else { return Ok(false) };
        let offset = self.next;
        let bytes = self.window.get(&*self.file, &self.path, offset, FRAME_HEAD)?;
        let Some(head) = FrameHead::decode(bytes, offset) else { return Ok(false) };
        if head.index() != self.index {
            return Ok(false);
        }
        let len = FRAME_HEAD + head.len as usize + TAG_LEN;
        let frame = self.window.get(&*self.file, &self.path, offset, len)?;
        if frame.len() < len {
            return Ok(false);
        }
        // Opened in a copy: the window must keep what is on disk in case this is looked at again.
        self.plain.clear();
        self.taken = 0;
        self.plain.extend_from_slice(&frame[FRAME_HEAD..]);
        if head.open(cipher, offset, &mut self.plain).is_err() {
            self.plain.clear();
            return Ok(false);
        }
        self.plain.truncate(head.len as usize);
        self.next += head.physical_len();
        self.index = self.index.wrapping_add(1);
        self.len += u64::from(head.len);
        Ok(true)
    }

    fn at_end(&mut self) -> Result<bool> {
        self.window.forget(); // the file may have grown since it was read
        Ok(self.window.get(&*self.file, &self.path, self.next, 1)?.is_empty())
    }

    /// Looks behind `next` for a frame that says that more than `next` bytes were synced.
    fn synced_beyond_here(&mut self) -> Result<bool> {
        find_mark(&*self.file, &self.path, &mut self.window, self.next)
    }
}

/// Is there, behind `offset`, the head of a frame whose mark lies beyond `offset`?
pub(super) fn find_mark(
    file: &dyn DiskFile,
    path: &std::path::Path,
    window: &mut Window,
    offset: u64,
) -> Result<bool> {
    let mut at = offset + 1;
    loop {
        let bytes = window.get(file, path, at, MAX_FRAME)?;
        if bytes.len() < FRAME_HEAD {
            return Ok(false);
        }
        for (i, head) in bytes.windows(FRAME_HEAD).enumerate() {
            let here = at + i as u64;
            // Nearly every offset ends here, before its checksum is computed.
            let synced = u64::from_le_bytes(head[8..16].try_into().expect("8 bytes"));
            if synced > offset && synced <= here && FrameHead::decode(head, here).is_some() {
                return Ok(true);
            }
        }
        at += (bytes.len() - FRAME_HEAD + 1) as u64;
    }
}

/// Logical size of a stream file, counted from the heads of its frames without a key. A torn or
/// damaged tail is counted as far as its heads hold; reading it finds out.
pub(super) fn logical_len(file: &dyn DiskFile, path: &std::path::Path) -> Result<u64> {
    let mut window = Window::default();
    let physical = file.size().map_err(|e| SealedFsError::io("size", path, e))?;
    let (mut at, mut len, mut index) = (HEADER_LEN as u64, 0u64, 0u32);
    while at + FRAME_HEAD as u64 <= physical {
        let bytes = window.get(file, path, at, FRAME_HEAD)?;
        let Some(head) = FrameHead::decode(bytes, at) else { break };
        if head.index() != index || at + head.physical_len() > physical {
            break;
        }
        at += head.physical_len();
        index = index.wrapping_add(1);
        len += u64::from(head.len);
    }
    Ok(len)
}

impl SequentialRead for StreamReader {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            if self.taken == self.plain.len() && !self.next_frame()? {
                break;
            }
            let part = &self.plain[self.taken..];
            let take = part.len().min(buf.len() - done);
            buf[done..done + take].copy_from_slice(&part[..take]);
            self.taken += take;
            done += take;
        }
        Ok(done)
    }
}
