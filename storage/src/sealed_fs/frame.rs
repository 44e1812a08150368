//! One frame of a stream file.
//!
//! ```text
//!  0      4      8                16           28            28+len   44+len
//!  | len  | crc  | synced         | nonce      | ciphertext  | tag    |
//!  | u32  | u32  | u64            | 8 rnd + u32| len bytes   | 16     |
//! ```
//!
//! * `crc` is CRC-32 over the frame's physical offset, `len`, `synced` and `nonce`: a flipped
//!   length must not look like a short last frame. It needs no key, so sizes can be counted and
//!   marks be searched for without one.
//! * `synced` is the physical offset up to which the file was known to be on stable storage when
//!   the frame was sealed. It is what tells a torn tail from damage, see [`super::stream_reader`].
//! * `nonce` is 8 random bytes drawn when the file was opened for writing, and the frame's index:
//!   no two frames of a file share it, also when a file is opened again.
//! * The tag covers index, offset, length and mark: a frame is valid in its place only.
//! * A frame of length 0 is a *mark*: it carries `synced` and nothing else.

use super::cipher::{FileCipher, NONCE_LEN, TAG_LEN, Unauthentic};

/// Bytes before the ciphertext.
pub(super) const FRAME_HEAD: usize = 28;
/// What a frame adds to its plaintext.
pub(super) const FRAME_OVERHEAD: usize = FRAME_HEAD + TAG_LEN;
/// Greatest plaintext of one frame: 256 KiB, so that reading one needs a bounded buffer.
pub(super) const MAX_FRAME: usize = 256 << 10;

/// The first 28 bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    /// Plaintext bytes.
    pub(super) len: u32,
    /// Physical offset known to be on stable storage when the frame was sealed.
    pub(super) synced: u64,
    nonce: [u8; NONCE_LEN],
}

impl FrameHead {
    pub(super) fn new(len: u32, synced: u64, prefix: [u8; 8], index: u32) -> Self {
        let mut nonce = [0u8; NONCE_LEN];
        nonce[..8].copy_from_slice(&prefix);
        nonce[8..].copy_from_slice(&index.to_le_bytes());
        Self { len, synced, nonce }
    }

    /// Which frame of the file this is, from 0.
    pub(super) fn index(&self) -> u32 {
        u32::from_le_bytes([self.nonce[8], self.nonce[9], self.nonce[10], self.nonce[11]])
    }

    /// Bytes of the whole frame on disk.
    pub(super) fn physical_len(&self) -> u64 {
        FRAME_OVERHEAD as u64 + u64::from(self.len)
    }

    fn checksum(&self, offset: u64) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&offset.to_le_bytes());
        crc.update(&self.len.to_le_bytes());
        crc.update(&self.synced.to_le_bytes());
        crc.update(&self.nonce);
        crc.finalize()
    }

    /// Reads a head found at `offset`; `None` unless checksum and bounds hold.
    pub(super) fn decode(bytes: &[u8], offset: u64) -> Option<Self> {
        let bytes: &[u8; FRAME_HEAD] = bytes.get(..FRAME_HEAD)?.try_into().ok()?;
        let len = u32::from_le_bytes(bytes[..4].try_into().ok()?);
        let crc = u32::from_le_bytes(bytes[4..8].try_into().ok()?);
        let synced = u64::from_le_bytes(bytes[8..16].try_into().ok()?);
        let nonce: [u8; NONCE_LEN] = bytes[16..].try_into().ok()?;
        let head = Self { len, synced, nonce };
        // The cheap bounds come first: a search for marks tries every offset.
        (len as usize <= MAX_FRAME && synced <= offset && head.checksum(offset) == crc).then_some(head)
    }

    fn encode(&self, offset: u64, out: &mut [u8]) {
        out[..4].copy_from_slice(&self.len.to_le_bytes());
        out[4..8].copy_from_slice(&self.checksum(offset).to_le_bytes());
        out[8..16].copy_from_slice(&self.synced.to_le_bytes());
        out[16..FRAME_HEAD].copy_from_slice(&self.nonce);
    }

    fn aad(&self, offset: u64) -> [u8; 28] {
        let mut aad = [0u8; 28];
        aad[..8].copy_from_slice(&u64::from(self.index()).to_le_bytes());
        aad[8..16].copy_from_slice(&offset.to_le_bytes());
        aad[16..20].copy_from_slice(&self.len.to_le_bytes());
        aad[20..].copy_from_slice(&self.synced.to_le_bytes());
        aad
    }

    /// Turns `frame`, laid out as [`FRAME_HEAD`] free bytes and `len` of plaintext, into the frame
    /// that stands at `offset`.
    pub(super) fn seal(&self, cipher: &FileCipher, offset: u64, frame: &mut Vec<u8>) {
        debug_assert_eq!(frame.len(), FRAME_HEAD + self.len as usize);
        let (head, body) = frame.split_at_mut(FRAME_HEAD);
        self.encode(offset, head);
        let tag = cipher.seal(self.nonce, &self.aad(offset), body);
        frame.extend_from_slice(&tag);
    }

    /// Opens the body (ciphertext and tag, without the head) of the frame at `offset`; returns the
    /// plaintext, which lies in `body`.
    pub(super) fn open<'a>(
        &self,
        cipher: &FileCipher,
        offset: u64,
        body: &'a mut [u8],
    ) -> Result<&'a [u8], Unauthentic> {
        let len = self.len as usize;
        if body.len() != len + TAG_LEN {
            return Err(Unauthentic);
        }
        let (data, tag) = body.split_at_mut(len);
        let mut tag_bytes = [0u8; TAG_LEN];
        tag_bytes.copy_from_slice(tag);
        cipher.open(self.nonce, &self.aad(offset), data, tag_bytes)?;
        Ok(data)
    }
}
