//! The states of a member.

use std::fmt;

use coffer_proto::v1 as pb;

/// Where a member is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MemberState {
    /// It reads its configuration and opens its directory.
    Starting,
    /// It is alive without its master key: no data is readable.
    Sealed,
    /// The keys are there; it asks its peers what they remember, or recovers its storage.
    Recovering,
    /// It takes part in Raft and answers clients.
    Serving,
    /// It is on its way out.
    Stopping,
}

impl MemberState {
    /// Every state, in order of life.
    pub const ALL: [Self; 5] =
        [Self::Starting, Self::Sealed, Self::Recovering, Self::Serving, Self::Stopping];

    /// The name as metrics and logs have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Sealed => "sealed",
            Self::Recovering => "recovering",
            Self::Serving => "serving",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<MemberState> for pb::MemberState {
    fn from(state: MemberState) -> Self {
        match state {
            MemberState::Starting => Self::Starting,
            MemberState::Sealed => Self::Sealed,
            MemberState::Recovering => Self::Recovering,
            MemberState::Serving => Self::Serving,
            MemberState::Stopping => Self::Stopping,
        }
    }
}

/// A state with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The state.
    pub state: MemberState,
    /// Why it is in that state, for a person; of a member that serves, what is wrong with it: empty in health.
    pub reason: String,
}
