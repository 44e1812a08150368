//! Linearizable reads: ReadIndex, that is a fresh round of heartbeats that shows that this member still leads, and then
//! a wait until it has applied what was committed at that moment (Raft dissertation, section 6.4).

use std::cmp::min;

use coffer_storage::raft::Raft;
use openraft::{
    LinearizerOption, ReadPolicy,
    errors::{LinearizableReadError, RaftError},
};
use tokio::time::timeout_at;

use super::{deadline::Deadline, error::ServiceError};

/// Waits until this member, as leader, has applied all that was acknowledged before the call.
///
/// # Errors
/// It does not lead, no majority answers, or the deadline came first.
pub async fn linearize(raft: &Raft, deadline: &Deadline) -> Result<(), ServiceError> {
    let lease = std::time::Duration::from_millis(raft.config().election_timeout_max);
    let option = LinearizerOption::from(ReadPolicy::ReadIndex).with_wait_timeout(min(lease, deadline.left()));
    let linearizer = match timeout_at(deadline.at(), raft.get_read_linearizer(option)).await {
        Err(_) => return Err(ServiceError::Deadline("a majority of the members answered")),
        Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)))) => {
            return Err(ServiceError::NotLeader(forward.into()));
        }
        Ok(Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)))) => {
            return Err(ServiceError::ReadNotConfirmed("no majority of the members answers this one"));
        }
        Ok(Err(RaftError::Fatal(_))) => {
            return Err(ServiceError::ReadNotConfirmed("this member's Raft has stopped"));
        }
        Ok(Ok(linearizer)) => linearizer,
    };
    match linearizer.try_await_ready(raft, Some(deadline.left())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(ServiceError::Deadline("this member had applied what was committed")),
        Err(_) => Err(ServiceError::ReadNotConfirmed("this member's Raft has stopped")),
    }
}
