//! The refusal of a member that does not serve.

use super::MemberState;

/// The member has no data to answer from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this member is {state}: {reason}")]
pub struct NotServing {
    /// The state that it is in.
    pub state: MemberState,
    /// Why, for a person.
    pub reason: String,
}
