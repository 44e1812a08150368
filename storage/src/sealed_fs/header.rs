//! The 80 bytes that begin every sealed file.
//!
//! ```text
//!  0        8   9   10  12      16      20      24          32        64       80
//!  | magic  |ver|knd|pad| chunk |key ver| crc   | pad       | salt    | check  |
//!  |COFFERSF| 1 |1/2| 0 | u32   | u32   | u32   | 0         | random  | keyed  |
//! ```
//!
//! Integers are little-endian. `crc` is CRC-32 over all 80 bytes with itself zero: it tells damage
//! from a wrong key. `check` is derived from the key and the first 64 bytes: it proves that the
//! key made this header, so kind, chunk size and salt cannot be changed.

use std::path::Path;

use super::cipher::{CHECK_LEN, FileCipher};
use super::error::{Result, SealedFsError};
use super::key::SealingKey;
use super::kind::FileKind;

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 80;
/// First bytes of every sealed file.
pub(super) const MAGIC: [u8; 8] = *b"COFFERSF";
/// The version of the format that this program writes.
const FORMAT_VERSION: u8 = 1;
/// Plaintext bytes of a chunk. 4,096 is within 5 % of plain files in scans and compactions and
/// costs 0.7 % space; smaller chunks would read faster at random but cost 2.6 % at 1,024.
pub(super) const CHUNK_LEN: usize = 4096;

/// A header whose checksum held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// Layout of what follows.
    pub(super) kind: FileKind,
    /// Version of the key that sealed the file.
    pub(super) key_version: u32,
    bytes: [u8; HEADER_LEN],
}

impl FileHeader {
    /// Makes the header of a new file, with a fresh salt, and the cipher of that file.
    ///
    /// # Errors
    /// The system has no memory for the key.
    pub(super) fn create(
        path: &Path,
        kind: FileKind,
        key: &SealingKey,
        salt: [u8; 32],
    ) -> Result<(Self, FileCipher)> {
        let mut bytes = [0u8; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = FORMAT_VERSION;
        bytes[9] = kind as u8;
        let chunk = if kind == FileKind::Block { CHUNK_LEN as u32 } else { 0 };
        bytes[12..16].copy_from_slice(&chunk.to_le_bytes());
        bytes[16..20].copy_from_slice(&key.version().to_le_bytes());
        bytes[32..64].copy_from_slice(&salt);
        let (cipher, check) = derive(path, key, &salt, &Self::keyed_part(&bytes))?;
        bytes[64..].copy_from_slice(&check);
        let crc = Self::checksum(&bytes);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        Ok((Self { kind, key_version: key.version(), bytes }, cipher))
    }

    /// Reads a header without a key. The caller has dealt with files that are too short.
    ///
    /// # Errors
    /// [`SealedFsError::NotSealed`], [`SealedFsError::Damaged`], [`SealedFsError::UnknownFormat`].
    pub(super) fn parse(path: &Path, bytes: [u8; HEADER_LEN]) -> Result<Self> {
        let crc = u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]);
        if crc != Self::checksum(&bytes) {
            // One flipped bit of the magic is damage; something else altogether is another file.
            let alike = bytes.iter().zip(MAGIC).filter(|(a, b)| **a == *b).count();
            return Err(if alike >= 4 {
                SealedFsError::damaged(path, 0, "the header's checksum does not match")
            } else {
                SealedFsError::NotSealed { path: path.to_owned() }
            });
        }
        if bytes[..8] != MAGIC {
            return Err(SealedFsError::NotSealed { path: path.to_owned() });
        }
        if bytes[8] != FORMAT_VERSION {
            let version = bytes[8];
            return Err(SealedFsError::UnknownFormat { path: path.to_owned(), version });
        }
        let kind = FileKind::from_byte(bytes[9])
            .ok_or_else(|| SealedFsError::damaged(path, 9, "the header names no known layout"))?;
        let chunk = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        if kind == FileKind::Block && chunk != CHUNK_LEN as u32 {
            return Err(SealedFsError::damaged(path, 12, "the header names an unknown chunk size"));
        }
        let key_version = u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
        Ok(Self { kind, key_version, bytes })
    }

    /// Derives the cipher of the file and proves that `key` made this header.
    ///
    /// # Errors
    /// [`SealedFsError::WrongKey`], or the system has no memory for the key.
    pub(super) fn cipher(&self, path: &Path, key: &SealingKey) -> Result<FileCipher> {
        let mut salt = [0u8; 32];
        salt.copy_from_slice(&self.bytes[32..64]);
        let (cipher, check) = derive(path, key, &salt, &Self::keyed_part(&self.bytes))?;
        let difference: u8 = check.iter().zip(&self.bytes[64..]).fold(0, |all, (a, b)| all | (a ^ b));
        if difference != 0 {
            return Err(SealedFsError::WrongKey { path: path.to_owned(), version: self.key_version });
        }
        Ok(cipher)
    }

    /// The bytes as they stand on disk.
    pub(super) fn bytes(&self) -> &[u8; HEADER_LEN] {
        &self.bytes
    }

    /// What the keyed check covers: the first 64 bytes without the checksum, which covers it.
    fn keyed_part(bytes: &[u8; HEADER_LEN]) -> [u8; HEADER_LEN - CHECK_LEN] {
        let mut head = [0u8; HEADER_LEN - CHECK_LEN];
        head.copy_from_slice(&bytes[..HEADER_LEN - CHECK_LEN]);
        head[20..24].fill(0);
        head
    }

    fn checksum(bytes: &[u8; HEADER_LEN]) -> u32 {
        let mut copy = *bytes;
        copy[20..24].fill(0);
        crc32fast::hash(&copy)
    }
}

fn derive(
    path: &Path,
    key: &SealingKey,
    salt: &[u8; 32],
    head: &[u8; HEADER_LEN - CHECK_LEN],
) -> Result<(FileCipher, [u8; CHECK_LEN])> {
    FileCipher::derive(key, salt, head).map_err(|source| SealedFsError::Io {
        op: "key",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn every_flipped_bit_is_an_error() {
        let path = Path::new("f");
        let key = SealingKey::new(3, Zeroizing::new([1; 32])).unwrap();
        let (header, _) = FileHeader::create(Path::new("f"), FileKind::Stream, &key, [5; 32]).unwrap();
        assert_eq!(FileHeader::parse(path, *header.bytes()).unwrap(), header);
        for bit in 0..HEADER_LEN * 8 {
            let mut bytes = *header.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = FileHeader::parse(path, bytes).unwrap_err();
            assert!(matches!(error, SealedFsError::Damaged { .. }), "bit {bit}: {error}");
        }
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let path = Path::new("f");
        let key = SealingKey::new(3, Zeroizing::new([1; 32])).unwrap();
        let other = SealingKey::new(3, Zeroizing::new([2; 32])).unwrap();
        let (header, _) = FileHeader::create(Path::new("f"), FileKind::Block, &key, [5; 32]).unwrap();
        assert!(header.cipher(path, &key).is_ok());
        let error = header.cipher(path, &other).map(|_| ()).unwrap_err();
        assert!(matches!(error, SealedFsError::WrongKey { version: 3, .. }), "{error}");
    }

    #[test]
    fn a_forged_header_with_a_right_checksum_is_refused() {
        let path = Path::new("f");
        let key = SealingKey::new(3, Zeroizing::new([1; 32])).unwrap();
        let (header, _) = FileHeader::create(Path::new("f"), FileKind::Stream, &key, [5; 32]).unwrap();
        let mut bytes = *header.bytes();
        bytes[16] = 4; // another key version
        let crc = FileHeader::checksum(&bytes);
        bytes[20..24].copy_from_slice(&crc.to_le_bytes());
        let forged = FileHeader::parse(path, bytes).unwrap();
        assert!(forged.cipher(path, &key).is_err());
    }

    #[test]
    fn plain_bytes_are_not_sealed() {
        let error = FileHeader::parse(Path::new("f"), [b'x'; HEADER_LEN]).unwrap_err();
        assert!(matches!(error, SealedFsError::NotSealed { .. }));
    }
}
