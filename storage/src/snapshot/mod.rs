//! Snapshots: the state itself, seen through a pinned view and sent as a stream.
//!
//! Nothing is copied to build one. The sender walks its view; the receiver writes the entries into databases of its own,
//! under keys of its own, in a staging generation; one replacement of its keystore switches to it.
//!
//! Invariants: a view's label is the applied id of exactly that view; a staged generation is complete, verified against
//! counts and hashes, and on stable storage before it is switched to; before the switch nothing of the old generation is
//! touched, after it nothing of the old is left.

mod digest;
mod install;
mod receiver;
mod sending;
mod source;
mod staged;
mod staging_place;
mod view;

pub use digest::DatabaseDigest;
pub use receiver::SnapshotReceiver;
pub use sending::Sending;
pub use source::SnapshotSource;
pub use staged::StagedGeneration;
pub use staging_place::StagingPlace;
pub use view::PinnedView;
