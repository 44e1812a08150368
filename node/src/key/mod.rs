//! The customer's key, as this member uses it.
//!
//! Invariants:
//! - The settings in force never go back to an older version.
//! - Whoever needs the service takes it anew for each piece of work ([`KeyAccess::kms`]): a change of the role replaces it.

mod absent;
mod access;
mod provider;
mod seed;

pub use access::KeyAccess;
pub use provider::ProviderError;
