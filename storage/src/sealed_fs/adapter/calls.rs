//! One function for each entry of the table: unpack, call, report.

use std::ffi::c_void;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::super::disk::OpenMode;
use super::super::error::{Result, SealedFsError};
use super::super::file_traits::{RandomRead, SequentialRead, Writable};
use super::super::info_log;
use super::handle::{Handle, at, fs};
use super::status::{Status, run};
use super::table::{Bytes, Meta, PushName};

/// An operation on a name that has no content to seal.
fn on_disk<T>(op: &'static str, path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|e| SealedFsError::io(op, path, e))
}

pub(super) unsafe extern "C" fn open_sequential(h: *mut c_void, path: Bytes, s: *mut Status) -> *mut c_void {
    // SAFETY: handles, bytes and statuses are C++'s and live through the call; so below.
    unsafe { run(s, || Ok(Handle::of(fs(h).open_sequential(path.path())?))).0 }
}

pub(super) unsafe extern "C" fn sequential_read(
    file: *mut c_void,
    data: *mut u8,
    len: usize,
    s: *mut Status,
) -> usize {
    if len == 0 {
        return 0;
    }
    // SAFETY: as above; RocksDB reads a sequential file from one thread at a time and gives a
    // scratch of `len` bytes.
    unsafe {
        run(s, || {
            let file = &mut *file.cast::<Box<dyn SequentialRead>>();
            file.read(std::slice::from_raw_parts_mut(data, len))
        })
    }
}

pub(super) unsafe extern "C" fn sequential_skip(file: *mut c_void, len: u64, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || (*file.cast::<Box<dyn SequentialRead>>()).skip(len)) }
}

pub(super) unsafe extern "C" fn open_random(h: *mut c_void, path: Bytes, s: *mut Status) -> *mut c_void {
    // SAFETY: as above.
    unsafe { run(s, || Ok(Handle::of(fs(h).open_random(path.path())?))).0 }
}

pub(super) unsafe extern "C" fn random_read(
    file: *mut c_void,
    offset: u64,
    data: *mut u8,
    len: usize,
    s: *mut Status,
) -> usize {
    if len == 0 {
        return 0;
    }
    // SAFETY: as above; the scratch has `len` bytes.
    unsafe {
        run(s, || {
            let data = std::slice::from_raw_parts_mut(data, len);
            at::<Box<dyn RandomRead>>(file).read_at(offset, data)
        })
    }
}

pub(super) unsafe extern "C" fn random_len(file: *mut c_void, s: *mut Status) -> u64 {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn RandomRead>>(file).len()) }
}

pub(super) unsafe extern "C" fn open_writable(
    h: *mut c_void,
    path: Bytes,
    reopen: u8,
    s: *mut Status,
) -> *mut c_void {
    // SAFETY: as above.
    unsafe {
        run(s, || {
            let path = path.path();
            let file = if reopen == 0 { fs(h).create(path) } else { fs(h).reopen(path) };
            Ok(Handle::of(file?))
        })
        .0
    }
}

pub(super) unsafe extern "C" fn writable_append(file: *mut c_void, data: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).append(data.get())) }
}

pub(super) unsafe extern "C" fn writable_flush(file: *mut c_void, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).flush()) }
}

pub(super) unsafe extern "C" fn writable_sync(file: *mut c_void, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).sync()) }
}

pub(super) unsafe extern "C" fn writable_close(file: *mut c_void, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).close()) }
}

pub(super) unsafe extern "C" fn writable_len(file: *mut c_void) -> u64 {
    // SAFETY: as above; a length takes a lock and cannot panic.
    unsafe { at::<Box<dyn Writable>>(file).len() }
}

pub(super) unsafe extern "C" fn metadata(h: *mut c_void, path: Bytes, meta: *mut Meta, s: *mut Status) {
    // SAFETY: as above; `meta` is C++'s, for writing.
    unsafe {
        run(s, || {
            let path = path.path();
            let found = on_disk("stat", path, fs(h).disk().metadata(path))?;
            *meta = Meta {
                len: found.len,
                modified: found.modified,
                links: found.links,
                device: found.identity.0,
                inode: found.identity.1,
                is_dir: u8::from(found.is_dir),
            };
            Ok(())
        });
    }
}

pub(super) unsafe extern "C" fn logical_len(h: *mut c_void, path: Bytes, len: *mut u64, s: *mut Status) {
    // SAFETY: as above; `len` is C++'s, for writing.
    unsafe {
        run(s, || {
            *len = fs(h).logical_len(path.path())?;
            Ok(())
        });
    }
}

pub(super) unsafe extern "C" fn list(
    h: *mut c_void,
    path: Bytes,
    sink: *mut c_void,
    push: PushName,
    s: *mut Status,
) {
    // SAFETY: as above; `push` copies the name.
    unsafe {
        run(s, || {
            let path = path.path();
            for name in on_disk("list", path, fs(h).disk().list(path))? {
                let name = name.as_bytes();
                push(sink, name.as_ptr().cast(), name.len());
            }
            Ok(())
        });
    }
}

pub(super) unsafe extern "C" fn create_dir(h: *mut c_void, path: Bytes, if_missing: u8, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || {
            let path = path.path();
            match fs(h).disk().create_dir(path) {
                Err(e) if if_missing != 0 && e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                result => on_disk("create directory", path, result),
            }
        });
    }
}

pub(super) unsafe extern "C" fn remove_dir(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("remove directory", path.path(), fs(h).disk().remove_dir(path.path())));
    }
}

pub(super) unsafe extern "C" fn sync_dir(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("sync directory", path.path(), fs(h).disk().sync_dir(path.path())));
    }
}

pub(super) unsafe extern "C" fn sync_file(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || {
            let path = path.path();
            let file = on_disk("open", path, fs(h).disk().open(path, OpenMode::Edit))?;
            on_disk("sync", path, file.sync())
        });
    }
}

pub(super) unsafe extern "C" fn remove(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("remove", path.path(), fs(h).disk().remove(path.path())));
    }
}

pub(super) unsafe extern "C" fn rename(h: *mut c_void, from: Bytes, to: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("rename", from.path(), fs(h).disk().rename(from.path(), to.path())));
    }
}

pub(super) unsafe extern "C" fn link(h: *mut c_void, from: Bytes, to: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("link", from.path(), fs(h).disk().link(from.path(), to.path())));
    }
}

pub(super) unsafe extern "C" fn lock(h: *mut c_void, path: Bytes, s: *mut Status) -> *mut c_void {
    // SAFETY: as above.
    unsafe {
        run(s, || {
            let path = path.path();
            match fs(h).disk().lock(path) {
                Ok(held) => Ok(Handle::of(held)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    Err(SealedFsError::Locked { path: path.to_owned() })
                }
                Err(e) => Err(SealedFsError::io("lock", path, e)),
            }
        })
        .0
    }
}

pub(super) unsafe extern "C" fn free_space(h: *mut c_void, path: Bytes, s: *mut Status) -> u64 {
    // SAFETY: as above.
    unsafe { run(s, || on_disk("free space", path.path(), fs(h).disk().free_space(path.path()))) }
}

pub(super) unsafe extern "C" fn log(level: u8, message: Bytes) {
    // SAFETY: as above. A subscriber that panics loses its message, nothing else.
    let _ = catch_unwind(AssertUnwindSafe(|| info_log::record(level, unsafe { message.get() })));
}
