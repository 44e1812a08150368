//! Old keys go: data are rewritten under new ones, and a key is destroyed when no file needs it any more.
//!
//! ```text
//! drop of a database ──► log purged past it ──┐
//! new master key ─────────────────────────────┴► new raft key ──► the log's files rewritten ──► old raft keys destroyed
//! rotation of a database key ──► new key ──► the database's files rewritten ──► old keys destroyed
//! encryption on or off ──► everything copied into new directories in the new form ──► one switch ──► the old removed
//! ```
//!
//! Invariants
//! * A key is destroyed only after a list of all files of its instance, begun after the key was replaced, that names none
//!   of its files and no file whose key is open.
//! * Nothing here is remembered that a restart would lose: more than one version of a key in the keyring means that a
//!   rewrite is under way; a tombstone beyond what the log says is shredded means that a drop is to be shredded.
//! * Reads and applies go on; a flush and a moment's change of options is all that they share with a rewrite. One
//!   rewrite runs at a time.
//! * `structure` is taken before `rewrite`, never after it.

mod database_key;
mod progress;
mod raft_key;
mod rebuild;
mod upkeep;

pub use progress::{DatabaseKeyProgress, DropState};
pub use rebuild::rebuild_form;
pub use upkeep::KeyUpkeep;
