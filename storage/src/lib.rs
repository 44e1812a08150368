//! Bytes and nothing else: how a member of a replica set keeps its log and its databases, sealed.
//!
//! ```text
//! raft ──────► log (RocksDB with a WAL)            durable before it is acknowledged
//!   │ committed and on this member's stable storage
//!   ▼
//! engine ────► one RocksDB per database, no WAL    replayed from the log after a crash
//!   │
//!   ├─ checkpoint   flushes, records, lets the log be purged
//!   ├─ snapshot     a pinned view, streamed to members that lag
//!   └─ recovery     replays before openraft sees anything
//!           every file ──► sealed_fs ──► disk
//! ```
//!
//! Invariants of the whole: an acknowledged write is on stable storage in the log of a majority; a database never holds
//! the effect of an entry that this member's own log does not hold on stable storage; what is purged from the log is in
//! database files on stable storage.

mod checkpoint;
mod engine;
mod error;
mod instance;
mod log;
mod options;
pub mod raft;
mod rotation;
pub mod sealed_fs;
mod snapshot;
mod state_machine;
#[cfg(test)]
mod testing;

pub use checkpoint::{Checkpointer, CheckpointerHandle};
pub use engine::{
    Cancel, CollectionHash, CollectionSummary, Cursor, DatabaseSummary, Engine, FEATURE, FindQuery,
    StateHash, SystemKind, SystemRecord,
};
pub use error::StorageError;
pub use log::{LogStore, PeerMemory, went_back};
pub use options::StorageOptions;
pub use rotation::{DatabaseKeyProgress, DropState, rebuild_form};
pub use snapshot::{SnapshotReceiver, SnapshotSource};
pub use state_machine::StateMachine;
