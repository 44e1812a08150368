//! AWS KMS.
//!
//! Invariants:
//! - Every call is bounded: connecting, one attempt, and all attempts together.
//! - A key travels over TLS; plain HTTP is for a server on this very machine.
//! - Credentials are asked for before the call that needs them, so that a role that can no longer
//!   be assumed shows as what it is and not as a connection that failed.
//! - Error texts are made of Display alone: the Debug of a library's error can hold an answer's
//!   body, and the body of a Decrypt is a key.

mod config;
mod credentials;
mod private_resolver;
mod provider;
mod role;
mod translate;

pub use self::config::{AssumeRole, AwsKmsConfig, AwsKmsConfigError, AwsTimeouts};
pub use self::provider::AwsKms;
