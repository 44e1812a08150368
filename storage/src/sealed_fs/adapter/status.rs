//! How a call went, as C++ is told.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::error::{Result, SealedFsError};

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
pub(super) unsafe fn run<T: Default>(status: *mut Status, call: impl FnOnce() -> Result<T>) -> T {
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
