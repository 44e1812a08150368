//! Arithmetic of block files: which chunk stands where.
//!
//! ```text
//!  0         80                 80+4124            …
//!  | header  | chunk 0          | chunk 1          | … last chunk, 28 to 4124 bytes |
//!            | nonce 12 | ciphertext ≤ 4096 | tag 16 |
//! ```
//!
//! All chunks but the last are full. The tag of each covers its index and whether it is the last:
//! a chunk is valid in its place only, and a file cut at a chunk's end has no last chunk.

use super::cipher::{NONCE_LEN, TAG_LEN};
use super::header::{CHUNK_LEN, HEADER_LEN};

/// What a chunk adds to its plaintext.
pub(super) const CHUNK_OVERHEAD: usize = NONCE_LEN + TAG_LEN;
/// Bytes of a full chunk on disk.
pub(super) const SEALED_CHUNK_LEN: usize = CHUNK_LEN + CHUNK_OVERHEAD;

/// Physical offset of a chunk.
pub(super) fn chunk_offset(index: u64) -> u64 {
    HEADER_LEN as u64 + index * SEALED_CHUNK_LEN as u64
}

/// What the tag of a chunk covers besides its bytes.
pub(super) fn chunk_aad(index: u64, last: bool) -> [u8; 9] {
    let mut aad = [0u8; 9];
    aad[..8].copy_from_slice(&index.to_le_bytes());
    aad[8] = u8::from(last);
    aad
}

/// Number of chunks and logical bytes of a file of `physical` bytes. Never fails: a file that was
/// cut anywhere gets a lower bound here and an error from the chunk when it is read.
pub(super) fn sizes(physical: u64) -> (u64, u64) {
    let body = physical.saturating_sub(HEADER_LEN as u64);
    let full = body / SEALED_CHUNK_LEN as u64;
    let rest = body % SEALED_CHUNK_LEN as u64;
    let tail = rest.saturating_sub(CHUNK_OVERHEAD as u64);
    (full + u64::from(rest > 0), full * CHUNK_LEN as u64 + tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_whole_and_cut_files() {
        assert_eq!(sizes(0), (0, 0));
        assert_eq!(sizes(80), (0, 0));
        assert_eq!(sizes(80 + 28), (1, 0));
        assert_eq!(sizes(80 + 29), (1, 1));
        assert_eq!(sizes(80 + 4124), (1, 4096));
        assert_eq!(sizes(80 + 4125), (2, 4096));
        assert_eq!(sizes(80 + 2 * 4124 + 30), (3, 8194));
    }
}
