//! What is asked of an open RocksDB through its C interface, because the Rust one does not have it.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char},
    io, ptr,
};

use librocksdb_sys as ffi;
use rocksdb::{AsRawPtr, DB};

use crate::sealed_fs::redact;

/// Changes options of an open database; it writes an OPTIONS file where one is a change.
///
/// # Errors
/// An option is unknown, or the disk fails.
pub fn set_db_options(db: &DB, options: &[(&str, &str)]) -> io::Result<()> {
    let strings = |pick: fn(&(&str, &str)) -> String| -> Result<Vec<CString>, _> {
        options.iter().map(|option| CString::new(pick(option))).collect()
    };
    let names = strings(|(name, _)| (*name).to_owned())?;
    let values = strings(|(_, value)| (*value).to_owned())?;
    let pointers = |texts: &[CString]| -> Vec<*const c_char> { texts.iter().map(|t| t.as_ptr()).collect() };
    let (name_pointers, value_pointers) = (pointers(&names), pointers(&values));
    let count = i32::try_from(options.len()).map_err(io::Error::other)?;
    let mut error: *mut c_char = ptr::null_mut();
    // SAFETY: the database is open while it is borrowed; both arrays hold `count` terminated strings that outlive the
    // call, which copies them; `error` is a valid place for one pointer.
    unsafe {
        ffi::rocksdb_set_db_options(
            db.as_raw_ptr(),
            count,
            name_pointers.as_ptr(),
            value_pointers.as_ptr(),
            &raw mut error,
        );
    }
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: RocksDB hands over a terminated string that is ours to free, once.
    let message = unsafe {
        let message = CStr::from_ptr(error).to_string_lossy().into_owned();
        ffi::rocksdb_free(error.cast());
        message
    };
    Err(io::Error::other(redact(&message)))
}

/// Ends manual compactions that run and refuses those to come, for good. Waits until they have ended.
pub fn end_manual_compactions(db: &DB) {
    // SAFETY: the database is open while it is borrowed, and the call may be made from any thread.
    unsafe { ffi::rocksdb_disable_manual_compaction(db.as_raw_ptr()) };
}
