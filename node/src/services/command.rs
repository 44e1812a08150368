//! Proposes commands and waits for what they give.

use std::{
    future::Future,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use coffer_proto::internal::v1::{Command, CommandResult, command::Action};
use coffer_storage::raft::{Proposal, Raft, wire::FORMAT};
use openraft::errors::{ClientWriteError, RaftError};
use tokio::time::timeout_at;

use super::{
    deadline::Deadline,
    error::{LeaderHint, ServiceError, Uncertainty},
    refusal::Refusal,
    retry_token::RetryToken,
};

/// The feature version that every command of this module needs.
const FEATURE: u32 = 1;

/// The feature version of commands on the replica set's own records.
const SYSTEM_FEATURE: u32 = 2;

/// MongoDB's code for a statement that is older than the session's last.
const TRANSACTION_TOO_OLD: i32 = 225;

/// The commands of one call: they share a deadline and a retry token, and are numbered.
pub struct Commands {
    raft: Raft,
    deadline: Deadline,
    token: Option<RetryToken>,
    part: u32,
    /// Whether a command of this call has taken effect, so that an error cannot say that nothing was done.
    begun: bool,
}

impl Commands {
    /// The commands of a call.
    pub fn new(raft: Raft, deadline: Deadline, token: Option<RetryToken>) -> Self {
        Self { raft, deadline, token, part: 0, begun: false }
    }

    /// Proposes the next part of the call's write. A command whose database is not there is not numbered: the same part
    /// is proposed again for the database that has the name now.
    ///
    /// # Errors
    /// As [`propose`]; a command that was applied and failed gives its error within the result.
    pub async fn next_part(&mut self, action: Action) -> Result<CommandResult, ServiceError> {
        let retry = self.token.as_ref().map(|token| token.part(self.part));
        let result = propose(&self.raft, command(action, retry), &self.deadline).await;
        let result = result.map_err(|error| self.after_begin(error))?;
        if !database_is_gone(&result) {
            self.part += 1;
            self.begun = true;
        }
        Ok(result)
    }

    /// Proposes a command that does no harm when it is done twice, such as creating what is there.
    ///
    /// # Errors
    /// As [`propose`], and the error of a command that was applied and failed.
    pub async fn harmless(&mut self, action: Action) -> Result<CommandResult, ServiceError> {
        let result = propose(&self.raft, command(action, None), &self.deadline).await;
        check(result.map_err(|error| self.after_begin(error))?)
    }

    /// "Nothing was done" is not true any more once a part has been.
    fn after_begin(&self, error: ServiceError) -> ServiceError {
        match error {
            ServiceError::NotLeader(hint) if self.begun => {
                ServiceError::OutcomeUnknown(Uncertainty::Interrupted(hint))
            }
            other => other,
        }
    }
}

fn command(action: Action, retry: Option<coffer_proto::internal::v1::RetryId>) -> Command {
    Command { format: FORMAT, feature: FEATURE, time_ms: now_ms(), retry, action: Some(action) }
}

/// Proposes a write of one of the replica set's own records.
///
/// # Errors
/// As [`propose`]; one that was applied and refused says so within the result.
pub(crate) async fn propose_system(
    raft: &Raft,
    action: Action,
    limit: Duration,
) -> Result<CommandResult, ServiceError> {
    let command = Command { feature: SYSTEM_FEATURE, ..command(action, None) };
    propose(raft, command, &Deadline::after(limit)).await
}

/// This member's clock, milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Whether a command found no database of its id.
pub fn database_is_gone(result: &CommandResult) -> bool {
    result.database_id == 0
        && result.error.as_ref().is_some_and(|error| error.code == coffer_document::code::NAMESPACE_NOT_FOUND)
}

/// The error of a command that was applied and failed, as an error.
///
/// # Errors
/// The command failed.
pub fn check(mut result: CommandResult) -> Result<CommandResult, ServiceError> {
    match result.error.take() {
        None => Ok(result),
        Some(error) if error.code == TRANSACTION_TOO_OLD => Err(ServiceError::StaleRetryToken),
        Some(error) => Err(Refusal::from_command(error).into()),
    }
}

/// Proposes one command and waits until it is applied here.
///
/// # Errors
/// `NotLeader` where nothing was done; `OutcomeUnknown` where that is not certain: only a member that does not lead says
/// so before it has put the entry into its log.
async fn propose(raft: &Raft, command: Command, deadline: &Deadline) -> Result<CommandResult, ServiceError> {
    if deadline.is_over() {
        return Err(ServiceError::OutcomeUnknown(Uncertainty::Deadline));
    }
    let written = timeout_at(deadline.at(), raft.client_write(Proposal::new(&command))).await;
    match written {
        Err(_) => Err(ServiceError::OutcomeUnknown(Uncertainty::Deadline)),
        Ok(Ok(response)) => Ok(response.data.0),
        Ok(Err(RaftError::APIError(error))) => Err(write_error(error)),
        Ok(Err(RaftError::Fatal(_))) => Err(interrupted(LeaderHint::default())),
    }
}

/// What an error of a proposal says of its outcome.
pub fn write_error(error: ClientWriteError<coffer_storage::raft::TypeConfig>) -> ServiceError {
    match error {
        ClientWriteError::ForwardToLeader(forward) => ServiceError::NotLeader(forward.into()),
        ClientWriteError::LogEntryDiscarded(forward) => interrupted(forward.into()),
        ClientWriteError::ChangeMembershipError(error) => ServiceError::Membership(error.to_string()),
        ClientWriteError::PreconditionFailed(error) => ServiceError::Membership(error.to_string()),
    }
}

fn interrupted(hint: LeaderHint) -> ServiceError {
    ServiceError::OutcomeUnknown(Uncertainty::Interrupted(hint))
}

/// Runs a write to its end also where its client goes away: what is proposed half is finished by nobody else.
///
/// # Errors
/// Those of the write.
pub async fn detached<T: Send + 'static>(
    write: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, ServiceError> {
    match tokio::spawn(write).await {
        Ok(result) => result,
        Err(failed) => {
            tracing::error!(error = %failed, "a write failed at this member itself");
            Err(interrupted(LeaderHint::default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use coffer_proto::internal::v1::CommandError;
    use openraft::errors::{ForwardReason, ForwardToLeader};

    use super::*;

    fn failed(code: i32, database_id: u64) -> CommandResult {
        let error = CommandError { code, code_name: "X".to_owned(), message: "m".to_owned() };
        CommandResult { error: Some(error), database_id, ..CommandResult::default() }
    }

    #[test]
    fn only_a_missing_database_is_looked_up_again() {
        assert!(database_is_gone(&failed(26, 0)));
        assert!(!database_is_gone(&failed(26, 7)), "a missing collection");
        assert!(!database_is_gone(&failed(48, 0)));
        assert!(!database_is_gone(&CommandResult::default()));
    }

    #[test]
    fn a_stale_token_is_told_apart_from_a_refusal() {
        assert!(matches!(check(failed(225, 1)), Err(ServiceError::StaleRetryToken)));
        assert!(matches!(check(failed(66, 1)), Err(ServiceError::Refused(_))));
        assert!(check(CommandResult::default()).is_ok());
    }

    #[test]
    fn only_a_refused_proposal_was_certainly_not_done() {
        let forward = || ForwardToLeader::empty().with_reason(ForwardReason::LeaseExpired);
        let refused = write_error(ClientWriteError::ForwardToLeader(forward()));
        assert!(matches!(refused, ServiceError::NotLeader(LeaderHint { id: None, .. })));
        let discarded = write_error(ClientWriteError::LogEntryDiscarded(forward()));
        assert!(matches!(discarded, ServiceError::OutcomeUnknown(Uncertainty::Interrupted(_))));
    }
}
