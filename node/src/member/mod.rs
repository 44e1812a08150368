//! A member as its services see it: who it is, what state it is in, and what it serves with.
//!
//! Invariants:
//! - The state goes Starting → Sealed ⇄ retry → Recovering → Serving → Stopping, and never back to data without keys:
//!   [`Member::serving`] answers in the state Serving alone.
//! - What peers are told of this member ([`Member::stamp`]) never goes backwards within one process.

mod concerns;
mod identity;
mod key_birth;
mod kms_status;
mod limits;
#[allow(clippy::module_inception)] // the type's own file
mod member;
mod not_serving;
mod recall;
mod serving;
mod state;

pub(crate) use concerns::Concern;
pub use identity::MemberIdentity;
pub use key_birth::KeyBirth;
pub use kms_status::{KmsStatus, RegionStatus};
pub(crate) use kms_status::{since, until};
pub use limits::Limits;
pub use member::Member;
pub(crate) use member::has_cluster;
pub use not_serving::NotServing;
pub use recall::Recall;
pub use serving::Serving;
pub use state::{Condition, MemberState};
