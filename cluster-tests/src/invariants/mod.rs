//! What must hold in the end, whatever was done to the members; one file each.

mod acknowledged_writes;
mod clean_logs;
mod hashes_agree;
mod independent_keys;
mod no_duplicates;
mod no_marker;
mod old_keys_gone;
mod settled;

pub use acknowledged_writes::acknowledged_writes;
pub use clean_logs::clean_logs;
pub use hashes_agree::hashes_agree;
pub use independent_keys::independent_keys;
pub use no_duplicates::no_duplicates;
pub use no_marker::{files_with_marker, no_marker};
pub use old_keys_gone::old_keys_gone;
pub use settled::settled;
