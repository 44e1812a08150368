//! Numbers that name things, each with a type of its own so that none is passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A member of the replica set. Never reused.
    MemberId(u64)
);
number!(
    /// A database, named by the log index of the command that created it. Never reused.
    DatabaseId(u64)
);
number!(
    /// The version of one key, counted from 1. A version is never used again for the same key.
    KeyVersion(u32)
);
number!(
    /// How often a member was started, counted under the keystore's MAC: peers remember the
    /// highest that they heard, so a member put back to an older copy of itself is noticed.
    Incarnation(u64)
);
number!(
    /// The generation of the data directory that is live (`data/<generation>/`), counted from 1.
    Generation(u64)
);

number!(
    /// Which directory the Raft log is in: `raft` for 0, `raft-<n>` for n. It counts on when the log is written anew in
    /// another form, sealed or plain.
    RaftGeneration(u64)
);

impl DatabaseId {
    /// The `admin` database: it is always there and cannot be dropped.
    pub const ADMIN: Self = Self(0);
}

impl KeyVersion {
    /// The version of a key that was just made.
    pub const FIRST: Self = Self(1);

    /// The version after this one; `None` past the last that 32 bits can name.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}
