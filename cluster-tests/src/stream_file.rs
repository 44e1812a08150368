//! The frames of a sealed stream file (a WAL), found without a key, so that a test can cut one where no file shows it.
//!
//! The layout is drawn in the storage crate's page on sealed files: 80 bytes of header, then frames of 28 bytes of
//! head (the first four say the length of the plaintext, little-endian), the ciphertext and 16 bytes of tag.

use std::fs::{self, OpenOptions};
use std::path::Path;

use anyhow::{Context, bail};

const HEADER: usize = 80;
const FRAME_HEAD: usize = 28;
const FRAME_OVERHEAD: usize = FRAME_HEAD + 16;

/// What begins a sealed file.
const MAGIC: &[u8] = b"COFFERSF";

/// The offsets at which frames end, in order.
///
/// # Errors
/// Where the file is no sealed file.
pub fn frame_ends(path: &Path) -> anyhow::Result<Vec<u64>> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    if !bytes.starts_with(MAGIC) {
        bail!("{} is no sealed file", path.display());
    }
    let mut ends = Vec::new();
    let mut at = HEADER;
    while let Some(head) = bytes.get(at..at + FRAME_HEAD) {
        let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = at + FRAME_OVERHEAD + len;
        // Zeros are space that was set aside and not written yet.
        if head.iter().all(|byte| *byte == 0) || end > bytes.len() {
            break;
        }
        ends.push(end as u64);
        at = end;
    }
    Ok(ends)
}

/// Cuts the file after its frame number `keep` (from 1).
///
/// # Errors
/// Where it has not more than `keep` frames.
pub fn cut_after_frame(path: &Path, keep: usize) -> anyhow::Result<()> {
    let ends = frame_ends(path)?;
    let Some(end) = keep.checked_sub(1).and_then(|last| ends.get(last)).filter(|_| keep < ends.len()) else {
        bail!("{} has {} frames: none can be cut off after frame {keep}", path.display(), ends.len());
    };
    let file =
        OpenOptions::new().write(true).open(path).with_context(|| format!("opening {}", path.display()))?;
    file.set_len(*end).with_context(|| format!("cutting {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_and_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("000003.log");
        let mut bytes = vec![0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        for len in [3_u32, 0, 500] {
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend(vec![1; FRAME_OVERHEAD - 4 + len as usize]);
        }
        let whole = bytes.len() as u64;
        bytes.extend([0; 100]);
        fs::write(&path, &bytes).unwrap();

        let first = (HEADER + FRAME_OVERHEAD + 3) as u64;
        assert_eq!(frame_ends(&path).unwrap(), [first, first + 44, whole]);
        assert!(cut_after_frame(&path, 3).is_err());
        cut_after_frame(&path, 1).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), first);

        fs::write(&path, "plain").unwrap();
        assert!(frame_ends(&path).is_err());
    }
}
