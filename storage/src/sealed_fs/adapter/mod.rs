//! The Rust side of `cpp/adapter.cc`: a table of C functions over [`FileSystem`].
//!
//! Invariants: no panic crosses into C++ (each entry catches it and reports an I/O error); each
//! pointer handed out is a box that its `*_drop` takes back once; `CofferTable` here and in
//! `cpp/adapter.h` have the same fields in the same order.

#![allow(unsafe_code)] // the border to C++

mod calls;
mod handle;
mod status;
mod table;

use std::any::Any;
use std::ffi::{c_int, c_void};

use rocksdb::Env;

use self::calls::*;
use self::handle::drop_box;
use self::table::Table;
use super::file_system::FileSystem;
use super::file_traits::{RandomRead, SequentialRead, Writable};

/// The one table; C++ keeps its address.
static TABLE: Table = Table {
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
    fn coffer_env_new(fs: *mut c_void, table: *const Table) -> *mut c_void;
    /// 1 when `rocksdb_env_t` is what the adapter takes it for.
    fn coffer_env_layout_ok() -> c_int;
}

/// Makes a RocksDB environment over `fs`; `None` if the linked RocksDB is not the one that the
/// adapter was compiled for.
pub(super) fn env_over(fs: FileSystem) -> Option<Env> {
    // SAFETY: makes, looks at and destroys a default environment.
    if unsafe { coffer_env_layout_ok() } != 1 {
        return None;
    }
    let fs: *mut c_void = Box::into_raw(Box::new(fs)).cast();
    // SAFETY: `fs` is a boxed FileSystem, as TABLE's functions expect; C++ owns it from here on.
    let raw = unsafe { coffer_env_new(fs, &raw const TABLE) };
    if raw.is_null() {
        return None;
    }
    // SAFETY: `raw` is a rocksdb_env_t by the check above, and nobody else frees it.
    Some(unsafe { Env::from_raw(raw.cast()) })
}
