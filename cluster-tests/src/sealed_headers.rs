//! Which version of a key sealed a file, as the header of the file says: `storage/src/sealed_fs/header.rs` draws it. Read here
//! anew, so that a test does not ask the code that it tests.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::files::files_under;

const HEADER_LEN: usize = 80;
const MAGIC: &[u8; 8] = b"COFFERSF";
const KEY_VERSION: std::ops::Range<usize> = 16..20;

/// What the files under a folder are sealed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedHeaders {
    /// Versions of keys that sealed a file.
    pub versions: BTreeSet<u64>,
    /// Files with something in them that is no sealed file.
    pub readable: Vec<PathBuf>,
}

/// Reads the headers of all files under `root`; empty files have none.
///
/// # Errors
/// Where a file cannot be read, other than for having vanished.
pub fn sealed_headers(root: &Path) -> anyhow::Result<SealedHeaders> {
    let mut found = SealedHeaders::default();
    for path in files_under(root)? {
        let mut head = Vec::with_capacity(HEADER_LEN);
        match File::open(&path).and_then(|file| file.take(HEADER_LEN as u64).read_to_end(&mut head)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        }
        match head.get(KEY_VERSION) {
            Some(version) if head.starts_with(MAGIC) => {
                let version = version.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
                found.versions.insert(version);
            }
            // One that is just being made has not all of its header yet.
            _ if head.is_empty() || (head.starts_with(MAGIC) && head.len() < HEADER_LEN) => {}
            _ => found.readable.push(path),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_files_that_are_not_sealed_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = |name: &str, version: u32| {
            let mut bytes = vec![0; 200];
            bytes[..8].copy_from_slice(MAGIC);
            bytes[KEY_VERSION].copy_from_slice(&version.to_le_bytes());
            std::fs::write(dir.path().join(name), bytes).unwrap();
        };
        sealed("a", 1);
        sealed("b", 0x0201);
        std::fs::write(dir.path().join("LOCK"), "").unwrap();
        assert_eq!(sealed_headers(dir.path()).unwrap().versions, BTreeSet::from([1, 0x0201]));

        std::fs::write(dir.path().join("plain"), "MANIFEST-000001\n").unwrap();
        assert_eq!(sealed_headers(dir.path()).unwrap().readable, [dir.path().join("plain")]);
    }
}
