//! The seam to the operating system: everything the sealed file system asks of a disk.
//!
//! [`super::RealDisk`] is the operating system; [`super::sim::SimDisk`] is a disk in memory that
//! can run out of space, fail, tear writes and lose power. Both take absolute or relative paths.
//! Contents are sealed before they come here: a disk never sees plaintext (encryption off aside).

use std::any::Any;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// To read; it must exist.
    Read,
    /// To write from empty; made if missing, cut to nothing if not.
    Create,
    /// To read and write; it must exist and keeps its content.
    Edit,
}

/// What is known of a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskMeta {
    /// Physical size in bytes; 0 for a directory.
    pub len: u64,
    /// True for a directory.
    pub is_dir: bool,
    /// Seconds since 1970 of the last change.
    pub modified: u64,
    /// How many names the file has.
    pub links: u64,
    /// Device and inode: equal for two names of one file.
    pub identity: (u64, u64),
}

/// A file system of a disk. Errors are [`io::Error`]s whose kinds are those of the operating
/// system: `NotFound`, `StorageFull`, `WouldBlock` for a lock that is held…
pub trait Disk: Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;
    /// Size, kind, time and identity.
    fn metadata(&self, path: &Path) -> io::Result<DiskMeta>;
    /// Names in a directory, in no order, without `.` and `..`.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;
    /// Makes a directory; `AlreadyExists` if it is there.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Removes a name of a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Moves a file, in one step, over what stands at `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes an exclusive lock, held until the result is dropped; `WouldBlock` if it is held.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>>;
    /// Free bytes on the file system of a directory.
    fn free_space(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file. Safe to use from several threads at once.
pub trait DiskFile: Send + Sync {
    /// Reads at an offset; fewer bytes than asked for only at the end or by chance.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes at an offset; may write only a part, at least one byte.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
    /// Makes content and size durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
    /// Physical size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts or extends with zeros.
    fn truncate(&self, len: u64) -> io::Result<()>;
}

/// Fills `buf` from `offset` as far as the file goes; returns how many bytes that were.
pub(super) fn read_full(file: &dyn DiskFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Writes all of `buf` at `offset`.
pub(super) fn write_full(file: &dyn DiskFile, buf: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buf.len() {
        match file.write_at(&buf[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
