//! A member that does what a test tells it, served over a real connection.
#![allow(dead_code, unused_imports)] // Each test file uses its part.

mod keys;
mod member;
mod proxy;
// `assert_cmd` finds the program only where it is built.
#[cfg(feature = "cli")]
pub mod run;
mod script;

use std::collections::HashMap;

use coffer_proto::wire::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub use self::keys::{FakeKeys, KeyCall};
pub use self::member::FakeMember;
pub use self::proxy::Proxy;
pub use self::script::Step;

/// The status that a member answers with.
pub fn failure(code: Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
    let metadata: HashMap<_, _> = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Status::with_error_details(
        code,
        format!("because of {reason}"),
        ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata),
    )
}

/// NOT_LEADER, with the leader where it is known.
pub fn not_leader(leader: Option<(u64, &str)>) -> Status {
    match leader {
        None => failure(Code::Unavailable, "NOT_LEADER", &[]),
        Some((id, address)) => {
            failure(Code::Unavailable, "NOT_LEADER", &[("leader", address), ("leader_id", &id.to_string())])
        }
    }
}
