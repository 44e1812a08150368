//! Why the local KMS cannot do what was asked of its administrator.

use std::io;
use std::path::PathBuf;

use crate::kms::{KeyArn, KeyArnError, KeyState, Region};

/// Why the local KMS cannot be opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum LocalKmsError {
    /// The system refused.
    #[error("could not {what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no local KMS in the directory.
    #[error(
        "there is no local KMS in {}: make its first key with `coffer dev-kms --dir DIR create`",
        dir.display()
    )]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// The file is not what this version writes.
    #[error("{} cannot be read: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// There is no such key in that Region.
    #[error("there is no key {0}")]
    NoKey(Box<KeyArn>),
    /// There is a replica in that Region already.
    #[error("the key has a replica in {0} already")]
    ReplicaExists(Region),
    /// The key cannot be there.
    #[error(transparent)]
    SingleRegion(#[from] KeyArnError),
    /// The key's state does not allow it.
    #[error("{arn} is {state:?}: {help}")]
    State {
        /// The key.
        arn: Box<KeyArn>,
        /// Its state.
        state: KeyState,
        /// What to do.
        help: &'static str,
    },
    /// A number of days that AWS would refuse too.
    #[error("a deletion is scheduled 7 to 30 days ahead, not {0}")]
    Days(u32),
    /// The directory holds as many keys as it may.
    #[error("a local KMS holds {0} keys at most")]
    TooMany(usize),
    /// The system gave no randomness.
    #[error("no randomness for a key: {0}")]
    NoRandomness(io::Error),
}
