//! A directory that behaves like KMS: for development, the demo and tests, never for data that
//! matters, because whoever reads the directory has the keys.
//!
//! ```text
//! <dir>/kms.json   all keys and Regions; mode 0600, replaced atomically
//! <dir>/LOCK       held by a writer
//! ```
//!
//! Invariants:
//! - The file is read at every call, so that a change is seen at once.
//! - Errors have the codes that AWS gives, and their classes follow from the codes.
//! - A ciphertext opens only with the key that it names and under the exact encryption context.

mod admin;
mod blob;
mod error;
mod fault;
mod model;
mod provider;
mod store;

pub use self::admin::{LocalKeyInfo, LocalKmsAdmin};
pub use self::error::LocalKmsError;
pub use self::fault::LocalFault;
pub use self::provider::LocalKms;

/// The account in the ARNs of local keys: the one that AWS's documentation never gives to anybody.
pub const ACCOUNT: &str = "000000000000";
