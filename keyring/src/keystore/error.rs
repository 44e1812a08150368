//! What can go wrong with the keystore.

use std::io;
use std::path::PathBuf;

use crate::kms::KeyArn;
use crate::{ClusterId, DatabaseId, Generation, KeyOwner, KeyVersion, MemberId};

/// The keys that would have been taken, for people.
fn named(acceptable: &[KeyArn]) -> String {
    match acceptable {
        [] => "no key is configured".to_owned(),
        [one] => format!("the configuration names {one}"),
        [one, others @ ..] => {
            let others: Vec<_> = others.iter().map(KeyArn::to_string).collect();
            format!("the configuration names {one}, and the peers {}", others.join(", "))
        }
    }
}

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
        "the keystore {} has format {found}, and this version knows formats up to {known}: \
         use the version of Coffer that wrote it or a later one", path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The format that the file names.
        found: u64,
        /// The newest format that is known.
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
    /// The master key is wrapped by a key that nobody named.
    #[error(
        "the keystore {} is wrapped by {found}, and {}: \
         it is not unwrapped, because a writer of the disk could have planted a key of their own; \
         set the ARN to the key that is meant", path.display(), named(acceptable)
    )]
    ForeignCmk {
        /// The file.
        path: PathBuf,
        /// The key that the file names.
        found: Box<KeyArn>,
        /// The keys that were acceptable: the configured one and those that the peers name.
        acceptable: Vec<KeyArn>,
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
        "the keystore {} was made with encryption off, and this member's configuration wants it on: set [encryption] \
         allow_off = true to take it as it is (`coffer encryption enable` then seals it), or let this member rejoin with an \
         empty data directory", path.display()
    )]
    EncryptionIsOff {
        /// The file.
        path: PathBuf,
    },
    /// There is no master key to rotate or to wrap with.
    #[error("encryption is off on this member: it has no keys")]
    NoKeys,
    /// Encryption is on already.
    #[error("encryption is on already on this member")]
    HasKeys,
    /// The keystore changed since a change of form was prepared.
    #[error("the keys or databases changed while the change of form was prepared: prepare it again")]
    FormStale,
    /// There is no such database.
    #[error("there is no database {0} in the keystore")]
    UnknownDatabase(DatabaseId),
    /// Another version would be more than a keystore may hold.
    #[error(
        "the key of {owner} has {limit} versions, and no more can be held: retire those that no file needs"
    )]
    TooManyVersions {
        /// Whose key it is.
        owner: KeyOwner,
        /// The limit.
        limit: usize,
    },
    /// The settings are larger than may be cached.
    #[error("settings of {len} bytes are larger than the {limit} bytes that a keystore holds")]
    SettingsTooLarge {
        /// Their length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
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
