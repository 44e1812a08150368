//! Everything that a call can fail with.

use std::time::Duration;

use coffer_document::DocumentError;
use coffer_storage::{StorageError, raft::TypeConfig};
use openraft::errors::ForwardToLeader;

use super::refusal::Refusal;
use crate::help::{hint, of_storage};
use crate::member::NotServing;

/// Where to go instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderHint {
    /// The leader's id, where it is known.
    pub id: Option<u64>,
    /// Its `host:port`, where it is known.
    pub address: Option<String>,
}

impl From<ForwardToLeader<TypeConfig>> for LeaderHint {
    fn from(forward: ForwardToLeader<TypeConfig>) -> Self {
        Self { id: forward.leader_id, address: forward.leader_node.map(|node| node.addr) }
    }
}

/// Why a write may or may not take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncertainty {
    /// The deadline came while it was under way.
    Deadline,
    /// Leadership changed, or this member stops, while it was under way.
    Interrupted(LeaderHint),
}

/// What a call fails with.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The member has no data to answer from.
    #[error(transparent)]
    NotServing(#[from] NotServing),
    /// Another member leads, or none does just now. Nothing was done.
    #[error("this member does not lead{}", leader_text(.0))]
    NotLeader(LeaderHint),
    /// A queue is full. Nothing was done.
    #[error("this member is busy: too many {queue} at once; try again later")]
    Overloaded {
        /// Which queue.
        queue: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// A write may or may not take effect.
    #[error(
        "{}; the write may or may not take effect: repeat it with the same retry token, or read to find out",
        uncertainty_text(.0)
    )]
    OutcomeUnknown(Uncertainty),
    /// A read could not be shown to be fresh.
    #[error("the read could not be confirmed: {0}")]
    ReadNotConfirmed(&'static str),
    /// The time for a read or a wait is over.
    #[error("the deadline came before {0}")]
    Deadline(&'static str),
    /// The request cannot be done as it is.
    #[error("{0}")]
    Refused(Refusal),
    /// The retry token is older than the session's last write.
    #[error(
        "the retry token is older than the session's last write: that write is over, and its answer is gone"
    )]
    StaleRetryToken,
    /// A change of the membership, or of the leader, is not possible now.
    #[error("{0}")]
    Membership(String),
    /// A fault of this member. Its log says which.
    #[error("this member failed; its log says why")]
    Internal,
}

impl ServiceError {
    /// A fault of this member: told to the log, not to the caller.
    pub fn internal(what: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(what, error = %error, "a call failed at this member itself");
        Self::Internal
    }

    /// A result of storage: the caller's fault, or this member's.
    pub fn from_storage(what: &'static str, error: &StorageError) -> Self {
        if let StorageError::DatabaseNotFound(_) = error {
            return Refusal::namespace_not_found("the database does not exist, or was dropped meanwhile")
                .into();
        }
        if let StorageError::Cancelled = error {
            return Self::Deadline("the read was done: its caller gave it up");
        }
        match error.document_error() {
            Some(refusal) => Self::Refused(refusal.clone().into()),
            None => {
                let help = hint(of_storage(error));
                tracing::error!(what, %error, help, "a call failed at this member itself");
                Self::Internal
            }
        }
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DocumentError> for ServiceError {
    fn from(error: DocumentError) -> Self {
        Self::Refused(error.into())
    }
}

fn leader_text(hint: &LeaderHint) -> String {
    match hint {
        LeaderHint { id: Some(id), address: Some(address) } => format!("; member {id} at {address} does"),
        LeaderHint { id: Some(id), address: None } => format!("; member {id} does"),
        LeaderHint { id: None, .. } => ", and no leader is known just now".to_owned(),
    }
}

fn uncertainty_text(uncertainty: &Uncertainty) -> &'static str {
    match uncertainty {
        Uncertainty::Deadline => "the deadline came while the write was under way",
        Uncertainty::Interrupted(_) => {
            "leadership changed or the member stopped while the write was under way"
        }
    }
}
