//! One RocksDB database of this member, sealed under keys of its own: the Raft log, or one Coffer database.

mod database;
mod keys;
mod layout;
pub mod live;
pub mod opener;
mod pinned;
pub mod rewrite;

pub use database::DatabaseInstance;
pub use keys::{FixedKey, NoKeys, RingKeys};
pub use layout::{CollectionId, Key};
pub use opener::{OpenKind, Opener};
pub use pinned::Pinned;
