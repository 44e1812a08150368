//! The C types of `cpp/adapter.h`, field by field.

use std::ffi::{OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::status::Status;

/// Mirrors `CofferMeta`.
#[repr(C)]
pub(super) struct Meta {
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
    pub(super) unsafe fn get<'a>(self) -> &'a [u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: pointer and length come from one std::string or Slice.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }

    /// # Safety
    /// As [`Self::get`].
    pub(super) unsafe fn path<'a>(self) -> &'a Path {
        // SAFETY: passed on.
        Path::new(OsStr::from_bytes(unsafe { self.get() }))
    }
}

pub(super) type PushName = unsafe extern "C" fn(*mut c_void, *const c_char, usize);

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
