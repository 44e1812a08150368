//! `[raft]`: the clocks of the replica set.

use serde::{Deserialize, Serialize};

use super::{Problems, Span};

/// The clocks of the replica set; the same for all members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaftSection {
    /// How often a leader says that it leads.
    pub heartbeat_interval: Span,
    /// The shortest silence of a leader after which a member stands for election.
    pub election_timeout_min: Span,
    /// The longest; each member draws its own between the two.
    pub election_timeout_max: Span,
    /// How long the sender of a snapshot waits for the receiver to take what was sent.
    pub snapshot_timeout: Span,
    /// How long a starting member waits, in one round, for its peers to say what they remember of it.
    pub recall_timeout: Span,
}

impl Default for RaftSection {
    fn default() -> Self {
        Self {
            heartbeat_interval: Span::millis(200),
            election_timeout_min: Span::secs(1),
            election_timeout_max: Span::secs(2),
            snapshot_timeout: Span::secs(60),
            recall_timeout: Span::secs(2),
        }
    }
}

impl RaftSection {
    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.unless(
            self.heartbeat_interval >= Span::millis(10),
            "raft.heartbeat_interval",
            "10ms is the least",
        );
        problems.unless(
            self.election_timeout_min.0 >= self.heartbeat_interval.0.saturating_mul(3),
            "raft.election_timeout_min",
            "at least three heartbeats must fit in, or one lost packet starts an election",
        );
        problems.unless(
            self.election_timeout_max > self.election_timeout_min,
            "raft.election_timeout_max",
            "it must be longer than raft.election_timeout_min, or members stand for election all at once",
        );
        problems.unless(
            self.election_timeout_max <= Span::secs(60),
            "raft.election_timeout_max",
            "more than 60s without a leader is too long",
        );
        problems.unless(
            (Span::secs(1)..=Span::secs(3600)).contains(&self.snapshot_timeout),
            "raft.snapshot_timeout",
            "1s to 1h are possible",
        );
        problems.unless(
            (Span::millis(100)..=Span::secs(60)).contains(&self.recall_timeout),
            "raft.recall_timeout",
            "100ms to 60s are possible",
        );
    }
}
