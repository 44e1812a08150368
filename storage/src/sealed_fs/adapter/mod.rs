MOD//! The Rust side of `cpp/adapter.cc`: a table of C functions over [`FileSystem`].
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

