//! The C types of `cpp/adapter.h`, field by field.

use std::ffi::{OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::status::Status;

/// Mirrors `CofferMeta`.
#[repr(C)]
pub(super) struct Meta {
    pub(super) len: u64,
    pub(super) modified: u64,
    pub(super) links: u64,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) is_dir: u8,
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
    pub(super) fs_drop: unsafe extern "C" fn(*mut c_void),
    pub(super) open_sequential: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> *mut c_void,
    pub(super) sequential_read: unsafe extern "C" fn(*mut c_void, *mut u8, usize, *mut Status) -> usize,
    pub(super) sequential_skip: unsafe extern "C" fn(*mut c_void, u64, *mut Status),
    pub(super) sequential_drop: unsafe extern "C" fn(*mut c_void),
    pub(super) open_random: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> *mut c_void,
    pub(super) random_read: unsafe extern "C" fn(*mut c_void, u64, *mut u8, usize, *mut Status) -> usize,
    pub(super) random_len: unsafe extern "C" fn(*mut c_void, *mut Status) -> u64,
    pub(super) random_drop: unsafe extern "C" fn(*mut c_void),
    pub(super) open_writable: unsafe extern "C" fn(*mut c_void, Bytes, u8, *mut Status) -> *mut c_void,
    pub(super) writable_append: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    pub(super) writable_flush: unsafe extern "C" fn(*mut c_void, *mut Status),
    pub(super) writable_sync: unsafe extern "C" fn(*mut c_void, *mut Status),
    pub(super) writable_close: unsafe extern "C" fn(*mut c_void, *mut Status),
    pub(super) writable_len: unsafe extern "C" fn(*mut c_void) -> u64,
    pub(super) writable_drop: unsafe extern "C" fn(*mut c_void),
    pub(super) metadata: unsafe extern "C" fn(*mut c_void, Bytes, *mut Meta, *mut Status),
    pub(super) logical_len: unsafe extern "C" fn(*mut c_void, Bytes, *mut u64, *mut Status),
    pub(super) list: unsafe extern "C" fn(*mut c_void, Bytes, *mut c_void, PushName, *mut Status),
    pub(super) create_dir: unsafe extern "C" fn(*mut c_void, Bytes, u8, *mut Status),
    pub(super) remove_dir: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    pub(super) sync_dir: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    pub(super) sync_file: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    pub(super) remove: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status),
    pub(super) rename: unsafe extern "C" fn(*mut c_void, Bytes, Bytes, *mut Status),
    pub(super) link: unsafe extern "C" fn(*mut c_void, Bytes, Bytes, *mut Status),
    pub(super) lock: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> *mut c_void,
    pub(super) lock_drop: unsafe extern "C" fn(*mut c_void),
    pub(super) free_space: unsafe extern "C" fn(*mut c_void, Bytes, *mut Status) -> u64,
    pub(super) log: unsafe extern "C" fn(u8, Bytes),
}
