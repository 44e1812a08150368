//! What a document sorts by, as bytes.

use std::fmt;

use bson::Bson;

use crate::{key_encoding::KeyWriter, limits::MAX_NESTING};

/// Keys of the same sort are in the order of their documents. Made by [`crate::Sort::key`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey {
    bytes: Vec<u8>,
}

impl SortKey {
    /// The key of one value per field, each with whether the field ascends.
    pub(super) fn new<'a>(values: impl Iterator<Item = (&'a Bson, bool)>) -> Self {
        // Sort keys live in memory only: the limit on keys on disk does not apply, and documents are within theirs.
        let mut writer = KeyWriter::new(usize::MAX, MAX_NESTING);
        for (value, ascending) in values {
            let start = writer.len();
            // Fails on a value past the limits of a document alone, which then sorts by the part that was written.
            let _ = writer.write(value);
            if !ascending {
                writer.complement_from(start);
            }
        }
        Self { bytes: writer.finish() }
    }

    /// Memory that the key takes, in bytes, for those who keep many under a limit.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the sort had no fields.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl fmt::Debug for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SortKey").field("len", &self.len()).finish_non_exhaustive()
    }
}
