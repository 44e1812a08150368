//! The customer's key, as this member uses it.
//!
//! Invariants:
//! - The settings in force never go back to an older version.
//! - Whoever needs the service takes it anew for each piece of work ([`KeyAccess::kms`]): a change of the role replaces it.
//! - Whether the member serves on is decided by [`coffer_keyring::verdict`]; `monitor` asks the questions and carries out the
//!   answers.

mod absent;
mod access;
mod calls;
mod denied_file;
mod inbox;
mod monitor;
mod observer;
mod provider;
mod region_choice;
mod report;
mod seed;
mod show;
mod silent_file;
mod small_file;
mod tell;

pub use access::KeyAccess;
pub(crate) use calls::{kms_override, name_key, replica_regions, tell_denied, warnings};
pub(crate) use monitor::{Unsealing, watch};
pub use observer::{KeyEvent, KeyObserver};
pub use provider::ProviderError;
pub use region_choice::RegionChoice;
pub(crate) use report::alerts as show_alerts;
pub(crate) use show::sealed as show_sealed;
pub(crate) use tell::Teller;
