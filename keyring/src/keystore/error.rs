//! What can go wrong with the keystore.

use std::io;
use std::path::PathBuf;

use crate::kms::KeyArn;
use crate::{ClusterId, DatabaseId, Generation, KeyVersion, MemberId};

/// What can go wrong with the file itself. Every one names the file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("could not {what} the keystore {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An earlier replacement failed half way, so it is open which content is on disk.
    #[error(
        "the keystore {} is not written any more, since an earlier replacement of it failed: \
         restart this member once the disk is sound", path.display()
    )]
    FailStop {
        /// The file.
        path: PathBuf,
    },
    /// The file is larger than a keystore may be.
    #[error("the keystore {} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file was written by another version of Coffer.
    #[error(
        "the keystore {} has format {found}, and this version knows format {known} only: \
         use the version of Coffer that wrote it or a later one", path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The format that the file names.
        found: u64,
        /// The format that is known.
        known: u32,
    },
    /// The content is not what was written: damaged, or changed by somebody.
    #[error(
        "the keystore {} is damaged or was changed ({detail}): put it back from a backup of this \
         member, or rejoin under a new member id", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// A new keystore was to be made where there is one.
    #[error("there is a keystore already: {}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// Why the keystore cannot be used, or refuses a change.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The directory belongs to another cluster.
    #[error(
        "the keystore {} belongs to cluster {found}, not to {expected}: \
         this data directory is another cluster's", path.display()
    )]
    WrongCluster {
        /// The file.
        path: PathBuf,
        /// The cluster that it names.
        found: ClusterId,
        /// The cluster that is configured.
        expected: ClusterId,
    },
    /// The directory belongs to another member.
    #[error(
        "the keystore {} belongs to member {found}, not to member {expected}: \
         this data directory is another member's", path.display()
    )]
    WrongMember {
        /// The file.
        path: PathBuf,
        /// The member that it names.
        found: MemberId,
        /// The member that is configured.
        expected: MemberId,
    },
    /// The master key is wrapped by a key that is not the configured one.
    #[error(
        "the keystore {} is wrapped by {found}, and the configuration names {configured}: \
         it is not unwrapped, because a writer of the disk could have planted a key of their own; \
         set the ARN to the key that is meant", path.display()
    )]
    ForeignCmk {
        /// The file.
        path: PathBuf,
        /// The key that the file names.
        found: Box<KeyArn>,
        /// The key that is configured.
        configured: Box<KeyArn>,
    },
    /// Encryption is on in the file and off in the configuration.
    #[error(
        "the keystore {} was made with encryption on: set [encryption] enabled = true", path.display()
    )]
    EncryptionIsOn {
        /// The file.
        path: PathBuf,
    },
    /// Encryption is off in the file and on in the configuration.
    #[error(
        "the keystore {} was made with encryption off: set [encryption] enabled = false, \
         or let this member rejoin with an empty data directory", path.display()
    )]
    EncryptionIsOff {
        /// The file.
        path: PathBuf,
    },
    /// The database was dropped; its id is never used again.
    #[error("database {database} was dropped at log index {log_index}: its id is never used again")]
    Tombstoned {
        /// The database.
        database: DatabaseId,
        /// The log index of the command that dropped it.
        log_index: u64,
    },
    /// The admin database is always there.
    #[error("the admin database cannot be dropped")]
    AdminDatabase,
    /// A switch to a generation that is not newer than the live one.
    #[error("generation {asked} is not newer than the live one, {live}")]
    GenerationNotNewer {
        /// The generation that was asked for.
        asked: Generation,
        /// The live one.
        live: Generation,
    },
    /// Two staged keys for one database.
    #[error("database {0} was staged twice")]
    StagedTwice(DatabaseId),
    /// The staged key is not of the version that comes next.
    #[error("the staged key of database {0} is out of date: its keys changed since")]
    StagedStale(DatabaseId),
    /// A raft key to be kept is not the current one or an older one.
    #[error("there is no raft key of version {0}")]
    UnknownRaftKey(KeyVersion),
    /// A counter is at its end.
    #[error("the {0} cannot be counted further")]
    Exhausted(&'static str),
    /// The system had no memory or no randomness for a key, or a fresh wrap did not open.
    #[error("no key could be made: {0}")]
    NoKey(io::Error),
}
