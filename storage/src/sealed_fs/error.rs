//! Errors of the sealed file system.
//!
//! Invariant: an error names the file by its path, which consists of opaque ids, and the byte
//! offset where there is one. It never carries content, plain or sealed.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong below RocksDB.
#[derive(Debug, thiserror::Error)]
pub enum SealedFsError {
    /// The operating system (or a simulated disk) refused an operation.
    #[error("{}: {op} failed: {source}", path.display())]
    Io {
        /// The operation: `open`, `write`, `sync`…
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The header is intact by its checksum, but the key of the version that it names did not make
    /// it: the key of another database or member, or a forged header.
    #[error(
        "{}: key version {version} did not seal this file: wrong key, or a forged header; \
         was a file or keystore of another database or member put in its place?",
        path.display()
    )]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// The key version that the header names.
        version: u32,
    },
    /// The header names a key version that the key source does not have.
    #[error(
        "{}: sealed under key version {version}, which the keystore does not hold; \
         is this an older keystore, or was the version retired too early?",
        path.display()
    )]
    UnknownKeyVersion {
        /// The file.
        path: PathBuf,
        /// The key version that the header names.
        version: u32,
    },
    /// The key source has no current key, so nothing new can be sealed.
    #[error("{}: no current key to seal a new file with", path.display())]
    NoCurrentKey {
        /// The file that was to be made.
        path: PathBuf,
    },
    /// The file does not begin as a sealed file does.
    #[error(
        "{}: not a sealed file (its first bytes are not the format's); \
         was it written with encryption off, or overwritten?",
        path.display()
    )]
    NotSealed {
        /// The file.
        path: PathBuf,
    },
    /// Encryption is off, but the file is sealed.
    #[error("{}: sealed, but encryption is off; turn encryption on to open it", path.display())]
    SealedButPlain {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer program.
    #[error(
        "{}: format version {version} is newer than this program knows; upgrade the program",
        path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its format version.
        version: u8,
    },
    /// Bytes that were safely on disk are not what was written: bit rot or tampering.
    #[error("{}: damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Physical offset in bytes of the damaged header, chunk or frame.
        offset: u64,
        /// What did not hold.
        what: &'static str,
    },
    /// An earlier write or sync of this open file failed, so what is on disk is unknown: it takes
    /// no more writes. Closing the instance and opening it again recovers.
    #[error("{}: closed to writes since an earlier {op} failed", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The operation that failed first.
        op: &'static str,
    },
    /// The file has reached a limit of its format.
    #[error("{}: {what}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// Which limit.
        what: &'static str,
    },
    /// An operation that a sealed file cannot offer.
    #[error("{}: not supported by the sealed file system: {what}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
    },
    /// Another process, or another instance in this one, holds the directory.
    #[error("{}: locked by another process or instance", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// RocksDB's C++ structures are not what the adapter was compiled for.
    #[error("RocksDB's environment has an unexpected layout: was it built from other sources?")]
    Layout,
}

/// Short for a result of this module.
pub type Result<T> = std::result::Result<T, SealedFsError>;

impl SealedFsError {
    /// Wraps an error of the operating system.
    pub(super) fn io(op: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { op, path: path.to_owned(), source }
    }

    /// Names damage.
    pub(super) fn damaged(path: &Path, offset: u64, what: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), offset, what }
    }

    /// True when the file itself is bad: damage, or a file that some other key sealed.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        matches!(
            self,
            Self::WrongKey { .. }
                | Self::NotSealed { .. }
                | Self::UnknownFormat { .. }
                | Self::Damaged { .. }
        )
    }
}
