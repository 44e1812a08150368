//! Questions asked of sealed files before, or without, opening an instance.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, OpenMode, read_full};
use super::error::{Result, SealedFsError};
use super::file_system::{Beginning, FileSystem, read_beginning};
use super::header::HEADER_LEN;
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

/// A file of an instance, and which key sealed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFile {
    /// Its path.
    pub path: PathBuf,
    /// Bytes on disk.
    pub len: u64,
    /// The version that its header names. `None` where it has none yet, and so perhaps any version: a file that is just
    /// being made, or whose making a crash ended.
    pub key_version: Option<u32>,
}

/// Reads the headers of all files in an instance's directory, without a key; the empty LOCK aside.
///
/// Files come and go while an instance is open. A key is chosen when the name of a file is there, so a list that was
/// begun after a key was replaced names every file that the old one sealed, or leaves its version open.
///
/// # Errors
/// A damaged header is an error: the version that it named is unknown, so none may be retired.
pub fn sealed_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<SealedFile>> {
    let mut files = Vec::new();
    scan(disk, dir, MAX_DEPTH, &mut files)?;
    Ok(files)
}

/// Counts the files in an instance's directory by the key version that sealed them; see [`sealed_files`]. A version that
/// is absent here is no longer needed, if no file leaves its version open.
///
/// # Errors
/// As [`sealed_files`].
pub fn header_key_versions(disk: &dyn Disk, dir: &Path) -> Result<BTreeMap<u32, u64>> {
    let mut versions = BTreeMap::new();
    for version in sealed_files(disk, dir)?.into_iter().filter_map(|file| file.key_version) {
        *versions.entry(version).or_default() += 1;
    }
    Ok(versions)
}

fn scan(disk: &dyn Disk, dir: &Path, depth: usize, files: &mut Vec<SealedFile>) -> Result<()> {
    for name in disk.list(dir).map_err(|e| SealedFsError::io("list", dir, e))? {
        if name == "LOCK" {
            continue;
        }
        let path = dir.join(name);
        match scan_one(disk, &path, depth, files) {
            // Removed since it was listed.
            Err(SealedFsError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

fn scan_one(disk: &dyn Disk, path: &Path, depth: usize, files: &mut Vec<SealedFile>) -> Result<()> {
    let meta = disk.metadata(path).map_err(|e| SealedFsError::io("stat", path, e))?;
    if meta.is_dir {
        if depth == 0 {
            let what = "directories nested deeper than an instance has them";
            return Err(SealedFsError::Limit { path: path.to_owned(), what });
        }
        return scan(disk, path, depth - 1, files);
    }
    let file = disk.open(path, OpenMode::Read).map_err(|e| SealedFsError::io("open", path, e))?;
    let mut head = [0u8; HEADER_LEN];
    let got = read_full(&*file, &mut head, 0).map_err(|e| SealedFsError::io("read", path, e))?;
    let key_version = match got < HEADER_LEN {
        true => None,
        false => match read_beginning(&*file, path)? {
            Beginning::Header(header) => Some(header.key_version),
            Beginning::Empty => None,
        },
    };
    files.push(SealedFile { path: path.to_owned(), len: meta.len, key_version });
    Ok(())
}
