//! The Rust side of `cpp/adapter.cc`: a table of C functions over [`FileSystem`].
//!
//! Invariants: no panic crosses into C++ (each entry catches it and reports an I/O error); each
//! pointer handed out is a box that its `*_drop` takes back once; `CofferTable` here and in
//! `cpp/adapter.h` have the same fields in the same order.

#![allow(unsafe_code)] // the border to C++

use std::any::Any;
use std::ffi::{OsStr, c_char, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::disk::OpenMode;
use super::error::{Result, SealedFsError};
use super::file_system::FileSystem;
use super::file_traits::{RandomRead, SequentialRead, Writable};
use super::info_log;

/// Mirrors `CofferCode`, of which 0 is success.
#[derive(Clone, Copy)]
#[repr(i32)]
enum Code {
    NotFound = 1,
    Corruption = 2,
    IoError = 3,
    NoSpace = 4,
    NotSupported = 5,
    Busy = 6,
}

/// Longest message that crosses the border; a longer one is cut.
const MESSAGE_LEN: usize = 504;

/// Mirrors `CofferStatus`.
#[repr(C)]
pub(super) struct Status {
    code: i32,
    len: u32,
    message: [u8; MESSAGE_LEN],
}

/// Mirrors `CofferMeta`.
#[repr(C)]
struct Meta {
    len: u64,
    modified: u64,
    links: u64,
    device: u64,
    inode: u64,
    is_dir: u8,
}

/// Mirrors `CofferBytes`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Bytes {
    data: *const u8,
    len: usize,
}

impl Bytes {
    /// # Safety
    /// The caller's bytes outlive the call in progress, as all that C++ passes do.
    unsafe fn get<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: pointer and length come from one std::string or Slice.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }

    /// # Safety
    /// As [`Self::get`].
    unsafe fn path<'a>(self) -> &'a Path {
        // SAFETY: passed on.
        Path::new(OsStr::from_bytes(unsafe { self.get() }))
    }
}

type PushName = unsafe extern "C" fn(*mut c_void, *const c_char, usize);

/// Mirrors `CofferTable`.
#[repr(C)]
pub(super) struct Table {
    fs_drop: unsafe extern "C" fn(*mut c_void),
    open_sequential: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> *mut c_void,
    sequential_read: unsafe extern "C" fn(*mut c_void, *mut u8, usize, *mut Status) -> usize,
    sequential_skip: unsafe extern "C" fn(*mut c_void, u64, *mut Status),
    sequential_drop: unsafe extern "C" fn(*mut c_void),
    open_random: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> *mut c_void,
    random_read: unsafe extern "C" fn(*mut c_void, u64, *mut u8, usize, *mut Status) -> usize,
    random_len: unsafe extern "C" fn(*mut c_void, *mut Status) -> u64,
    random_drop: unsafe extern "C" fn(*mut c_void),
    open_writable: unsafe extern "C" fn(*mut c_void, Bytes, u8, *mut Status) -> *mut c_void,
    writable_append: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    writable_flush: unsafe extern "C" fn(*mut c_void, *mut Status),
    writable_sync: unsafe extern "C" fn(*mut c_void, *mut Status),
    writable_close: unsafe extern "C" fn(*mut c_void, *mut Status),
    writable_len: unsafe extern "C" fn(*mut c_void) -> u64,
    writable_drop: unsafe extern "C" fn(*mut c_void),
    metadata: unsafe extern "C" fn(*mut c_void, Bytes, *mut Meta, *mut Status),
    logical_len: unsafe extern "C" fn(*mut c_void, Bytes, *mut u64, *mut Status),
    list: unsafe extern "C" fn(*mut c_void, Bytes, *mut c_void, PushName, *mut Status),
    create_dir: unsafe extern "C" fn(*mut c_void, Bytes, u8, *mut Status),
    remove_dir: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    sync_dir: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    sync_file: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    remove: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    rename: unsafe extern "C" fn(*mut c_void, Bytes, Bytes, *mut Status),
    link: unsafe extern "C" fn(*mut c_void, Bytes, Bytes, *mut Status),
    lock: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> *mut c_void,
    lock_drop: unsafe extern "C" fn(*mut c_void),
    free_space: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> u64,
    log: unsafe extern "C" fn(u8, Bytes),
}

/// The one table; C++ keeps its address.
pub(super) static TABLE: Table = Table {
    fs_drop: drop_box::<FileSystem>,
    open_sequential,
    sequential_read,
    sequential_skip,
    sequential_drop: drop_box::<Box<dyn SequentialRead>>,
    open_random,
    random_read,
    random_len,
    random_drop: drop_box::<Box<dyn RandomRead>>,
    open_writable,
    writable_append,
    writable_flush,
    writable_sync,
    writable_close,
    writable_len,
    writable_drop: drop_box::<Box<dyn Writable>>,
    metadata,
    logical_len,
    list,
    create_dir,
    remove_dir,
    sync_dir,
    sync_file,
    remove,
    rename,
    link,
    lock,
    lock_drop: drop_box::<Box<dyn Any + Send>>,
    free_space,
    log,
};

unsafe extern "C" {
    /// Makes a `rocksdb_env_t` that owns `fs`; null when memory is short.
    pub(super) fn coffer_env_new(fs: *mut c_void, table: *const Table) -> *mut c_void;
    /// 1 when `rocksdb_env_t` is what the adapter takes it for.
    pub(super) fn coffer_env_layout_ok() -> std::ffi::c_int;
}

/// What RocksDB does differently for different errors.
fn code(error: &SealedFsError) -> Code {
    match error {
        SealedFsError::Io { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => Code::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::NoSpace,
            // A hard link that cannot be made: RocksDB then copies.
            io::ErrorKind::CrossesDevices | io::ErrorKind::Unsupported => Code::NotSupported,
            _ => Code::IoError,
        },
        SealedFsError::WrongKey { .. }
        | SealedFsError::NotSealed { .. }
        | SealedFsError::UnknownFormat { .. }
        | SealedFsError::SealedButPlain { .. }
        | SealedFsError::Damaged { .. } => Code::Corruption,
        SealedFsError::Unsupported { .. } => Code::NotSupported,
        SealedFsError::Locked { .. } => Code::Busy,
        SealedFsError::UnknownKeyVersion { .. }
        | SealedFsError::NoCurrentKey { .. }
        | SealedFsError::Poisoned { .. }
        | SealedFsError::Limit { .. }
        | SealedFsError::Layout => Code::IoError,
    }
}

/// Runs one call: no panic gets out, an error goes to `status`.
///
/// # Safety
/// `status` is valid for writing.
unsafe fn run<T: Default>(status: *mut Status, call: impl FnOnce() -> Result<T>) -> T {
    let (code, text) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => (code(&error), error.to_string()),
        // Its message went to the panic hook and is not repeated to RocksDB.
        Err(_) => (Code::IoError, "a panic in the sealed file system".to_owned()),
    };
    // SAFETY: promised by the caller.
    let status = unsafe { &mut *status };
    let text = text.as_bytes();
    let len = text.len().min(MESSAGE_LEN);
    status.message[..len].copy_from_slice(&text[..len]);
    status.len = len as u32;
    status.code = code as i32;
    T::default()
}

/// A pointer that is null unless the call succeeded.
struct Handle(*mut c_void);

impl Default for Handle {
    fn default() -> Self {
        Self(std::ptr::null_mut())
    }
}

impl Handle {
    fn of<T>(value: T) -> Self {
        Self(Box::into_raw(Box::new(value)).cast())
    }
}

/// # Safety
/// `handle` is of a live `T` that [`Handle::of`] boxed.
unsafe fn at<'a, T>(handle: *mut c_void) -> &'a T {
    // SAFETY: promised by the caller.
    unsafe { &*handle.cast::<T>() }
}

unsafe extern "C" fn drop_box<T>(handle: *mut c_void) {
    // SAFETY: C++ gives each handle back once.
    let value = unsafe { Box::from_raw(handle.cast::<T>()) };
    // A panic while dropping has nobody to go to.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(value)));
}

/// # Safety
/// As [`at`].
unsafe fn fs<'a>(handle: *mut c_void) -> &'a FileSystem {
    // SAFETY: the env's handle is a boxed FileSystem and outlives every file of it.
    unsafe { at(handle) }
}

/// An operation on a name that has no content to seal.
fn on_disk<T>(op: &'static str, path: &Path, result: io::Result<T>) -> Result<T> {
    result.map_err(|e| SealedFsError::io(op, path, e))
}

unsafe extern "C" fn open_sequential(h: *mut c_void, path: Bytes, s: *mut Status) -> *mut c_void {
    // SAFETY: handles, bytes and statuses are C++'s and live through the call; so below.
    unsafe { run(s, || Ok(Handle::of(fs(h).open_sequential(path.path())?))).0 }
}

unsafe extern "C" fn sequential_read(file: *mut c_void, data: *mut u8, len: usize, s: *mut Status) -> usize {
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

unsafe extern "C" fn sequential_skip(file: *mut c_void, len: u64, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || (*file.cast::<Box<dyn SequentialRead>>()).skip(len)) }
}

unsafe extern "C" fn open_random(h: *mut c_void, path: Bytes, s: *mut Status) -> *mut c_void {
    // SAFETY: as above.
    unsafe { run(s, || Ok(Handle::of(fs(h).open_random(path.path())?))).0 }
}

unsafe extern "C" fn random_read(
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

unsafe extern "C" fn random_len(file: *mut c_void, s: *mut Status) -> u64 {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn RandomRead>>(file).len()) }
}

unsafe extern "C" fn open_writable(h: *mut c_void, path: Bytes, reopen: u8, s: *mut Status) -> *mut c_void {
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

unsafe extern "C" fn writable_append(file: *mut c_void, data: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).append(data.get())) }
}

unsafe extern "C" fn writable_flush(file: *mut c_void, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).flush()) }
}

unsafe extern "C" fn writable_sync(file: *mut c_void, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).sync()) }
}

unsafe extern "C" fn writable_close(file: *mut c_void, s: *mut Status) {
    // SAFETY: as above.
    unsafe { run(s, || at::<Box<dyn Writable>>(file).close()) }
}

unsafe extern "C" fn writable_len(file: *mut c_void) -> u64 {
    // SAFETY: as above; a length takes a lock and cannot panic.
    unsafe { at::<Box<dyn Writable>>(file).len() }
}

unsafe extern "C" fn metadata(h: *mut c_void, path: Bytes, meta: *mut Meta, s: *mut Status) {
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

unsafe extern "C" fn logical_len(h: *mut c_void, path: Bytes, len: *mut u64, s: *mut Status) {
    // SAFETY: as above; `len` is C++'s, for writing.
    unsafe {
        run(s, || {
            *len = fs(h).logical_len(path.path())?;
            Ok(())
        });
    }
}

unsafe extern "C" fn list(h: *mut c_void, path: Bytes, sink: *mut c_void, push: PushName, s: *mut Status) {
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

unsafe extern "C" fn create_dir(h: *mut c_void, path: Bytes, if_missing: u8, s: *mut Status) {
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

unsafe extern "C" fn remove_dir(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("remove directory", path.path(), fs(h).disk().remove_dir(path.path())));
    }
}

unsafe extern "C" fn sync_dir(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("sync directory", path.path(), fs(h).disk().sync_dir(path.path())));
    }
}

unsafe extern "C" fn sync_file(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || {
            let path = path.path();
            let file = on_disk("open", path, fs(h).disk().open(path, OpenMode::Edit))?;
            on_disk("sync", path, file.sync())
        });
    }
}

unsafe extern "C" fn remove(h: *mut c_void, path: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("remove", path.path(), fs(h).disk().remove(path.path())));
    }
}

unsafe extern "C" fn rename(h: *mut c_void, from: Bytes, to: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("rename", from.path(), fs(h).disk().rename(from.path(), to.path())));
    }
}

unsafe extern "C" fn link(h: *mut c_void, from: Bytes, to: Bytes, s: *mut Status) {
    // SAFETY: as above.
    unsafe {
        run(s, || on_disk("link", from.path(), fs(h).disk().link(from.path(), to.path())));
    }
}

unsafe extern "C" fn lock(h: *mut c_void, path: Bytes, s: *mut Status) -> *mut c_void {
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

unsafe extern "C" fn free_space(h: *mut c_void, path: Bytes, s: *mut Status) -> u64 {
    // SAFETY: as above.
    unsafe { run(s, || on_disk("free space", path.path(), fs(h).disk().free_space(path.path()))) }
}

unsafe extern "C" fn log(level: u8, message: Bytes) {
    // SAFETY: as above. A subscriber that panics loses its message, nothing else.
    let _ = catch_unwind(AssertUnwindSafe(|| info_log::record(level, unsafe { message.get() })));
}
