//! The Raft log of a member: entries, vote, committed log id, checkpoint record, and what is remembered of peers.
//!
//! One RocksDB instance with a WAL. Writes become readable at once and durable in groups: one thread syncs the WAL for
//! all that was written since its last sync, and only then completes their callbacks, in order. `docs/raft-log.md` draws
//! the records.
//!
//! Invariants
//! * Vote and entries go through one WAL in the order in which openraft issued them; a completed callback says that it
//!   and everything before it is on stable storage.
//! * The flushed index never counts an entry that was truncated and not written again.
//! * Nothing is purged beyond the checkpoint record.
//! * After the first I/O error nothing is written any more, and `failed` says so: the process has to end.

mod durability;
mod inner;
mod layout;
mod peer_memory;
mod raft_storage;
mod reader;
mod rewrite;
mod state;
mod store;
mod sync_thread;
mod went_back;

pub use layout::LogKey;
pub use peer_memory::PeerMemory;
pub use store::LogStore;
pub use went_back::went_back;
