//! What a data key seals.

use crate::DatabaseId;

/// What a data key seals: the Raft log of this member, or one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOwner {
    /// The Raft log, the vote and what else the raft instance holds.
    Raft,
    /// A database.
    Database(DatabaseId),
}

impl std::fmt::Display for KeyOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Raft => f.write_str("raft"),
            Self::Database(id) => write!(f, "database {id}"),
        }
    }
}
