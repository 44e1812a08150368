//! Pointers to Rust values that C++ holds.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::file_system::FileSystem;

/// A pointer that is null unless the call succeeded.
pub(super) struct Handle(pub(super) *mut c_void);

impl Default for Handle {
    fn default() -> Self {
        Self(std::ptr::null_mut())
    }
}

impl Handle {
    pub(super) fn of<T>(value: T) -> Self {
        Self(Box::into_raw(Box::new(value)).cast())
    }
}

/// # Safety
/// `handle` is of a live `T` that [`Handle::of`] boxed.
pub(super) unsafe fn at<'a, T>(handle: *mut c_void) -> &'a T {
    // SAFETY: promised by the caller.
    unsafe { &*handle.cast::<T>() }
}

/// Takes a handle back.
///
/// # Safety
/// `handle` is of a live `T` that [`Handle::of`] boxed, and is not used again.
pub(super) unsafe extern "C" fn drop_box<T>(handle: *mut c_void) {
    // SAFETY: C++ gives each handle back once.
    let value = unsafe { Box::from_raw(handle.cast::<T>()) };
    // A panic while dropping has nobody to go to.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(value)));
}

/// # Safety
/// As [`at`].
pub(super) unsafe fn fs<'a>(handle: *mut c_void) -> &'a FileSystem {
    // SAFETY: the env's handle is a boxed FileSystem and outlives every file of it.
    unsafe { at(handle) }
}
