//! Whether a member's disk has room for a second copy of its data.

use std::path::Path;
use std::{fs, io};

/// What is to be free besides: for the log to go on meanwhile.
const SPARE: u64 = 64 << 20;

/// Whether the disk under `dir` has room for everything in it once more.
///
/// # Errors
/// It has not, or that cannot be told: then why.
pub(super) fn room_for_a_copy(dir: &Path) -> Result<(), String> {
    let needed = size(dir).map_err(|error| format!("{}: {error}", dir.display()))? + SPARE;
    let free = free(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    if free >= needed {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(format!(
        "its disk has {} MiB free, and a copy of its data needs {} MiB: make room, and it is done when it is tried again",
        mib(free),
        mib(needed)
    ))
}

/// Bytes that the disk under `dir` has for who is not root.
fn free(dir: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(dir)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes of all files under `dir`. What goes while it is looked at counts as nothing.
fn size(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let counted = match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(error),
        };
        match counted {
            Ok(more) => bytes += more,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_disk_has_is_refused_with_both_numbers() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/a"), vec![0; 1000]).unwrap();
        fs::write(dir.path().join("b"), vec![0; 24]).unwrap();
        assert_eq!(size(dir.path()).unwrap(), 1024);
        assert_eq!(room_for_a_copy(dir.path()), Ok(()));
        // A file of holes is as large as it says, and takes no room.
        let free = free(dir.path()).unwrap();
        fs::File::create(dir.path().join("data/large")).unwrap().set_len(free + (1 << 30)).unwrap();
        let refusal = room_for_a_copy(dir.path()).unwrap_err();
        assert!(refusal.contains("MiB free") && refusal.contains("make room"), "{refusal}");
    }
}
