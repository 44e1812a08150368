//! Faults to be injected.

use std::io;
use std::path::Path;

/// What kind of operation a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Opening an existing file.
    Open,
    /// Making or emptying a file.
    Create,
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Syncing a directory.
    SyncDir,
    /// Changing a name: rename, link, remove, make or remove a directory.
    Name,
    /// Cutting or extending a file.
    Truncate,
}

impl OpKind {
    /// Does it change the disk?
    pub(super) fn mutates(self) -> bool {
        !matches!(self, Self::Open | Self::Read)
    }
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No space left. A write may have written a part.
    Enospc,
    /// An I/O error. A write may have written a part; a sync has lost its pages.
    Eio,
    /// A write that writes a part and says so. Other operations are not struck.
    ShortWrite,
}

impl FaultKind {
    /// The error of the operating system.
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Enospc => libc::ENOSPC,
            Self::Eio | Self::ShortWrite => libc::EIO,
        })
    }
}

/// One fault: which operations it strikes, and how often.
#[derive(Clone, Debug)]
pub struct Fault {
    /// How the operation fails.
    pub kind: FaultKind,
    /// Which operations; `None` for all that change the disk.
    pub op: Option<OpKind>,
    /// Only files whose path contains this.
    pub path_contains: String,
    /// How many matching operations pass before the first is struck.
    pub after: u64,
    /// How many are struck, one after the other; `u64::MAX` for all.
    pub times: u64,
}

impl Fault {
    /// Does it strike this operation? Counts it.
    pub(super) fn strikes(&mut self, op: OpKind, path: &Path) -> bool {
        let wanted = self.op.map_or(op.mutates(), |wanted| wanted == op)
            && (self.kind != FaultKind::ShortWrite || op == OpKind::Write)
            && path.to_string_lossy().contains(&self.path_contains);
        if !wanted || self.times == 0 {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}
