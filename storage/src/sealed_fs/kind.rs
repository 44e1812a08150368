//! The two layouts of a sealed file.

use std::path::Path;

/// How a file is cut into sealed pieces. Chosen from the name when a file is made, read from the
/// header ever after: files are renamed (`.dbtmp`, `.trash`, ingestion) and keep their layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FileKind {
    /// Fixed chunks, read at random: `.sst`, `.blob`.
    Block = 1,
    /// Frames of variable length, read in order: WAL, MANIFEST, CURRENT, OPTIONS, IDENTITY.
    Stream = 2,
}

impl FileKind {
    /// The layout of a file about to be made under this name, and the best guess for a file whose
    /// header cannot be read.
    pub(super) fn for_new(path: &Path) -> Self {
        let name = path.file_name().map(|n| n.as_encoded_bytes()).unwrap_or_default();
        let has = |part: &[u8]| name.windows(part.len()).any(|w| w == part);
        if has(b".sst") || has(b".blob") { Self::Block } else { Self::Stream }
    }

    /// From the byte in the header.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Block),
            2 => Some(Self::Stream),
            _ => None,
        }
    }
}
