//! A disk in memory that fails as real ones do: for crash tests of whatever stands on the sealed
//! file system, RocksDB included.
//!
//! [`SimDisk`] keeps what is seen now apart from what is on stable storage. [`SimDisk::power_loss`]
//! makes, from a seed, the disk that is found after the power came back:
//!
//! * Content that was not synced: of each 4 KiB page the old or the new bytes, or a mix by
//!   512-byte sectors, in any selection; the size old or new, or between, filled with zeros.
//! * Names that were not synced (directory sync): of the creates, renames, links and removals any
//!   selection; a rename is whole or not at all.
//! * Syncing a file makes its name durable too, as ext4, XFS and btrfs do and RocksDB relies on.
//! * A failed sync loses its pages: a later sync that succeeds does not bring them back.
//!
//! Faults ([`Fault`]) strike the nth operation of a kind; syncs can be held up ([`SimDisk::hold_syncs`]). The disk is bounded: beyond its capacity
//! it is full.

mod dice;
mod disk_calls;
mod fault;
mod gate;
mod inode;
mod names;
mod sim_disk;
mod sim_file;

pub use fault::{Fault, FaultKind, OpKind};
pub use sim_disk::SimDisk;

#[cfg(test)]
mod tests;
