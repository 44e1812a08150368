//! What is told of rewrites that are under way.

use coffer_keyring::{DatabaseId, KeyVersion};

/// How far the key of a database is rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseKeyProgress {
    /// The round of the newest key.
    pub round: u64,
    /// The version of the newest key; 1 with encryption off.
    pub version: KeyVersion,
    /// The versions that the keyring still holds, the newest included; empty with encryption off.
    pub versions_in_use: Vec<KeyVersion>,
    /// Bytes of tables under the newest key, in percent of all; 100 only when it is the only key.
    pub percent: u32,
    /// What the rewrite waits for, for a person.
    pub waiting_for: Option<&'static str>,
}

/// A database that was dropped, and whether this member has nothing left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropState {
    /// The database.
    pub database_id: DatabaseId,
    /// Log index of the drop.
    pub log_index: u64,
    /// Neither the log nor any key that this member has leads to the database's content any more.
    pub shredded: bool,
}
