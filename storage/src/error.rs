//! What can go wrong in storage, and whose fault it is.

use std::io;

use coffer_document::DocumentError;
use coffer_keyring::DatabaseId;

use crate::{
    raft::wire::WireError,
    sealed_fs::{SealedFsError, redact},
};

/// An error of the storage layer.
///
/// The caller of a read is told apart from the disk: [`StorageError::document_error`] is `Some` exactly where the
/// request was wrong. No variant holds a key, a value or a name of a document, collection or database.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The request is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// No such database on this member, or not any more.
    #[error("the database does not exist, or was dropped while it was read")]
    DatabaseNotFound(DatabaseId),
    /// Whoever asked has gone.
    #[error("the call was given up")]
    Cancelled,
    /// The instance is being closed.
    #[error("the store is closing")]
    Closed,
    /// RocksDB failed, or the sealed files under it.
    #[error("{instance}: {}", redact(source.as_ref()))]
    Engine {
        /// Directory of the instance, relative to the data directory.
        instance: String,
        /// What RocksDB says; the file is named in it.
        source: rocksdb::Error,
    },
    /// The sealed file system refused.
    #[error(transparent)]
    SealedFs(#[from] SealedFsError),
    /// A file operation of our own failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with its path.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The keystore could not be replaced.
    #[error("keystore: {0}")]
    Keystore(#[from] coffer_keyring::KeystoreError),
    /// A record that cannot be read.
    #[error("{instance}: {source}")]
    Record {
        /// Directory of the instance.
        instance: String,
        /// What is wrong with it.
        source: WireError,
    },
    /// What is on disk contradicts itself: a part of it is missing or older than the rest.
    #[error(
        "{what}. This member's data is not what it was when it stopped: parts of it are missing or older than others. \
         Do not start it again; remove the member from the replica set and let it join under a new id with an empty \
         directory"
    )]
    PutBack {
        /// Which part, and how it shows.
        what: String,
    },
    /// Refused for now.
    #[error("{0}: ask again later")]
    Busy(&'static str),
    /// A snapshot that cannot be installed.
    #[error("snapshot refused: {0}")]
    Snapshot(String),
    /// A command of a later feature version.
    #[error("the replica set uses feature version {needed}, this program knows {known}: use a newer cofferd")]
    Feature {
        /// What the command needs.
        needed: u32,
        /// What this program knows.
        known: u32,
    },
}

impl StorageError {
    /// The error in the caller's request, if that is what it is.
    pub fn document_error(&self) -> Option<&DocumentError> {
        match self {
            Self::Document(error) => Some(error),
            _ => None,
        }
    }

    /// Wraps an error of an operation on a file or directory.
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}

impl From<StorageError> for io::Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io { source, .. } if source.raw_os_error().is_some() => source,
            other => io::Error::other(other.to_string()),
        }
    }
}
