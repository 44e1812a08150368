//! What a member serves with.

use std::sync::Arc;
use std::time::Instant;

use coffer_keyring::Keyring;
use coffer_storage::{Engine, LogStore, raft::Raft};

/// What a member serves with. It is there from the moment that Raft runs until the member stops; whoever holds it keeps
/// the databases open, so it is taken for one call and let go.
pub struct Serving {
    /// The running Raft.
    pub raft: Raft,
    /// The databases.
    pub engine: Arc<Engine>,
    /// The Raft log.
    pub log: LogStore,
    /// The keys, with encryption off an empty keyring.
    pub keyring: Keyring,
    /// When Raft began to run.
    pub since: Instant,
}
