//! Why a member does not start.

use std::io;
use std::path::PathBuf;

use coffer_keyring::{ClusterId, FileError, KeystoreError, MemberId};
use coffer_proto::help::HelpCode;
use coffer_storage::StorageError;

use crate::exit::Exit;
use crate::help;

/// Why a member does not start; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// An address cannot be listened on.
    #[error("{option}: {address} cannot be listened on: {why}")]
    Bind {
        /// The option that names it.
        option: &'static str,
        /// The address.
        address: String,
        /// What the system says.
        why: String,
    },
    /// The data directory, or a file of the boot in it.
    #[error("{} cannot {what}: {source}", path.display())]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// What could not be done with it.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else has it.
    #[error("another cofferd uses {}: stop it, or give this member a directory of its own", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// `identity.json` cannot be understood.
    #[error("{}: {why}; this is not the data directory of a member, or it is damaged", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The directory of another replica set.
    #[error(
        "{} belongs to cluster {found}, and the configuration names {configured}: set storage.data_dir to this member's \
         own directory", path.display()
    )]
    OtherCluster {
        /// The file that says so.
        path: PathBuf,
        /// The cluster that it names.
        found: ClusterId,
        /// The configured one.
        configured: ClusterId,
    },
    /// The directory of another member.
    #[error(
        "{} belongs to member {found}, and the configuration names member {configured}: set storage.data_dir to this \
         member's own directory", path.display()
    )]
    OtherMember {
        /// The file that says so.
        path: PathBuf,
        /// The member that it names.
        found: MemberId,
        /// The configured one.
        configured: MemberId,
    },
    /// The keystore is unreadable, damaged, another member's, or wrapped by another key.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// There is data but no keystore.
    #[error(
        "{} is gone, and without it nothing in this directory can be opened: put it back from a backup of this member, or \
         remove the member from the replica set and let it join under a new id with an empty directory", path.display()
    )]
    KeystoreGone {
        /// Where it should be.
        path: PathBuf,
    },
    /// The member ran before, and its log is not there.
    #[error(
        "{} is gone, and with it what this member voted and acknowledged: put the directory back as it was when the member \
         stopped, or remove the member from the replica set and let it join under a new id with an empty directory",
        path.display()
    )]
    LogGone {
        /// Where it should be.
        path: PathBuf,
    },
    /// The provider of the key cannot be set up.
    #[error("encryption: {0}")]
    Provider(#[from] crate::key::ProviderError),
    /// Encryption is on and no key or Region is named.
    #[error("encryption: {0}")]
    NoKey(&'static str),
    /// What the peers remember exceeds what the directory says.
    #[error("{0}")]
    WentBack(#[from] super::WentBack),
    /// The log or a database cannot be opened.
    #[error("{0}")]
    Storage(#[from] StorageError),
    /// Raft cannot be set up.
    #[error("raft: {0}")]
    Raft(String),
    /// A thread of the boot died.
    #[error("internal error: {0}")]
    Internal(String),
}

impl BootError {
    /// The status that the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Bind { .. } => Exit::Ports,
            Self::Directory { .. } => Exit::Directory,
            Self::Locked { .. } => Exit::Locked,
            Self::Identity { .. }
            | Self::OtherCluster { .. }
            | Self::OtherMember { .. }
            | Self::KeystoreGone { .. } => Exit::Foreign,
            Self::Keystore(error) => keystore_exit(error),
            Self::Provider(_) | Self::NoKey(_) => Exit::Config,
            Self::WentBack(_) | Self::LogGone { .. } => Exit::WentBack,
            Self::Storage(StorageError::Keystore(error)) => keystore_exit(error),
            // Parts that are older than others: the same remedy as for a directory that peers remember newer.
            Self::Storage(StorageError::PutBack { .. }) => Exit::WentBack,
            Self::Storage(_) | Self::Raft(_) => Exit::Storage,
            Self::Internal(_) => Exit::Internal,
        }
    }

    /// The page that explains it.
    pub fn help_code(&self) -> Option<HelpCode> {
        match self {
            Self::Keystore(error) => help::of_keystore(error),
            Self::KeystoreGone { .. } => Some(HelpCode::KeystoreUnusable),
            Self::Storage(error) => help::of_storage(error),
            Self::Bind { .. }
            | Self::Directory { .. }
            | Self::Locked { .. }
            | Self::Identity { .. }
            | Self::OtherCluster { .. }
            | Self::OtherMember { .. }
            | Self::Provider(_)
            | Self::NoKey(_)
            | Self::WentBack(_)
            | Self::LogGone { .. }
            | Self::Raft(_)
            | Self::Internal(_) => self.exit().help_code(),
        }
    }
}

fn keystore_exit(error: &KeystoreError) -> Exit {
    match error {
        KeystoreError::File(FileError::Io { .. } | FileError::FailStop { .. }) => Exit::Directory,
        _ => Exit::Foreign,
    }
}
