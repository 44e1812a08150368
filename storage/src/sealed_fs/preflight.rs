//! Questions asked of sealed files before, or without, opening an instance.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::disk::{Disk, OpenMode};
use super::error::{Result, SealedFsError};
use super::file_system::{Beginning, FileSystem, read_beginning};
use super::key_source::KeySource;

/// Directories within an instance's directory are looked into to this depth (`archive`).
const MAX_DEPTH: usize = 3;

/// Checks one sealed file's header under the keys, and returns the key version that sealed it;
/// `None` for a file in which nothing was ever synced.
///
/// # Errors
/// [`SealedFsError::WrongKey`], [`SealedFsError::UnknownKeyVersion`], [`SealedFsError::NotSealed`],
/// [`SealedFsError::Damaged`] and what the disk says.
pub fn check_header(disk: &dyn Disk, keys: &dyn KeySource, path: &Path) -> Result<Option<u32>> {
    let file = disk.open(path, OpenMode::Read).map_err(|e| SealedFsError::io("open", path, e))?;
    let Beginning::Header(header) = read_beginning(&*file, path)? else { return Ok(None) };
    let version = header.key_version;
    let key = keys
        .version(version)
        .ok_or_else(|| SealedFsError::UnknownKeyVersion { path: path.to_owned(), version })?;
    header.cipher(path, &key)?;
    Ok(Some(version))
}

/// What the directory of an instance holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// No CURRENT file: no instance was ever made here.
    Absent,
    /// A CURRENT file that opens under the keys and names a MANIFEST.
    Present,
    /// As [`Self::Present`], but without any WAL file: the power went while the instance was being
    /// made, before it could be used. RocksDB with its WALs verified refuses that, so it is to be
    /// opened with [`super::allow_missing_wal`]. WALs that were taken away look the same and are
    /// noticed as a live WAL cut short is: by the peers.
    WithoutWal,
}

/// Looks at an instance's CURRENT file before RocksDB does, whose own message for a wrong key
/// speaks of incompatible options. With `keys` absent the file must be plain.
///
/// # Errors
/// As [`check_header`]; [`SealedFsError::SealedButPlain`] for a sealed file without keys.
pub fn check_instance(
    disk: Arc<dyn Disk>,
    keys: Option<Arc<dyn KeySource>>,
    dir: &Path,
) -> Result<InstanceState> {
    let path = dir.join("CURRENT");
    match disk.metadata(&path) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(InstanceState::Absent),
        Err(e) => return Err(SealedFsError::io("stat", &path, e)),
    }
    let current = FileSystem::new(disk.clone(), keys).open_random(&path)?;
    let mut text = [0u8; 64];
    let len = current.read_at(0, &mut text)?;
    if !(text[..len].starts_with(b"MANIFEST-") && text[..len].ends_with(b"\n")) {
        return Err(SealedFsError::damaged(&path, 0, "it does not name a MANIFEST"));
    }
    let names = disk.list(dir).map_err(|e| SealedFsError::io("list", dir, e))?;
    let is_wal = |name: &std::ffi::OsString| Path::new(name).extension().is_some_and(|e| e == "log");
    let has_wal = names.iter().any(is_wal);
    Ok(if has_wal { InstanceState::Present } else { InstanceState::WithoutWal })
}

/// Reads the headers of all files in an instance's directory, without a key, and counts files by
/// the key version that sealed them. A version that is absent here is no longer needed; files
/// come and go while an instance is open, so ask twice, or with file deletions paused.
///
/// # Errors
/// A damaged header is an error: the version that it named is unknown, so none may be retired.
pub fn header_key_versions(disk: &dyn Disk, dir: &Path) -> Result<BTreeMap<u32, u64>> {
    let mut versions = BTreeMap::new();
    scan(disk, dir, MAX_DEPTH, &mut versions)?;
    Ok(versions)
}

fn scan(disk: &dyn Disk, dir: &Path, depth: usize, versions: &mut BTreeMap<u32, u64>) -> Result<()> {
    for name in disk.list(dir).map_err(|e| SealedFsError::io("list", dir, e))? {
        let path = dir.join(name);
        match scan_one(disk, &path, depth, versions) {
            // Removed since it was listed.
            Err(SealedFsError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

fn scan_one(disk: &dyn Disk, path: &Path, depth: usize, versions: &mut BTreeMap<u32, u64>) -> Result<()> {
    let meta = disk.metadata(path).map_err(|e| SealedFsError::io("stat", path, e))?;
    if meta.is_dir {
        if depth == 0 {
            let what = "directories nested deeper than an instance has them";
            return Err(SealedFsError::Limit { path: path.to_owned(), what });
        }
        return scan(disk, path, depth - 1, versions);
    }
    if meta.len == 0 {
        return Ok(()); // LOCK, and files that were only just made
    }
    let file = disk.open(path, OpenMode::Read).map_err(|e| SealedFsError::io("open", path, e))?;
    if let Beginning::Header(header) = read_beginning(&*file, path)? {
        *versions.entry(header.key_version).or_default() += 1;
    }
    Ok(())
}
