//! Applies log entries: what every member does with the same entry, in the same order, to the same effect.
//!
//! Invariants: an entry reads and writes one instance; all of its effect, its retry record and the applied record are one
//! write batch; the outcome depends on the instance and the entry alone: no clock, no chance, no other database.

mod collections;
mod databases;
mod delete;
mod execution;
mod insert;
mod retry;
pub mod scan;
mod system;
pub mod update;

use coffer_document::DocumentError;
use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::{Command, CommandError, CommandResult, command::Action};
use openraft::EntryPayload;
use prost::Message;
use rocksdb::WriteBatch;

use self::execution::Execution;
use super::{ADMIN, Engine};
use crate::{
    error::StorageError,
    instance::Key,
    raft::{Entry, LogId, Membership, Outcome, Proposal, StoredMembership, wire},
};

/// The commands that this program knows. A command that needs more is not applied: members must not diverge.
///
/// Version 1: databases, collections and documents. Version 2: system records.
pub const FEATURE: u32 = 2;

impl Engine {
    /// Applies one entry. Entries come in order; what an instance already holds is skipped.
    ///
    /// # Errors
    /// Only what makes this member unable to go on: the disk, damage, a command of the future. What is wrong with a
    /// request is part of its outcome.
    pub(crate) fn apply(&self, entry: &Entry) -> Result<Outcome, StorageError> {
        let mut membership = None;
        let outcome = match &entry.payload {
            EntryPayload::Blank => Outcome::default(),
            EntryPayload::Membership(new) => {
                membership = Some(self.apply_membership(&entry.log_id, new)?);
                Outcome::default()
            }
            EntryPayload::Normal(proposal) => Outcome(self.apply_command(&entry.log_id, proposal)?),
        };
        self.set_applied(Some(entry.log_id), membership);
        Ok(outcome)
    }

    fn apply_membership(&self, log_id: &LogId, new: &Membership) -> Result<StoredMembership, StorageError> {
        let stored = StoredMembership::new(Some(*log_id), new.clone());
        let admin = self.admin()?;
        if !admin.has(log_id.index) {
            let mut batch = WriteBatch::default();
            batch.put(Key::MEMBERSHIP, wire::stored_membership_to_pb(&stored).encode_to_vec());
            admin.write(batch, log_id)?;
        }
        self.log.save_membership(&stored)?;
        Ok(stored)
    }

    fn apply_command(&self, log_id: &LogId, proposal: &Proposal) -> Result<CommandResult, StorageError> {
        let command = proposal.decode().map_err(|source| StorageError::Record {
            instance: "raft".to_owned(),
            source: wire::WireError::Decode { what: "command", source },
        })?;
        if command.format > wire::FORMAT || command.feature > FEATURE {
            let needed = command.feature.max(command.format);
            return Err(StorageError::Feature { needed, known: FEATURE });
        }
        let mut result = self.dispatch(log_id, &command)?;
        result.format = wire::FORMAT;
        // A replayed result tells when the write took effect.
        if !result.replayed {
            result.applied_index = log_id.index;
        }
        Ok(result)
    }

    fn dispatch(&self, log_id: &LogId, command: &Command) -> Result<CommandResult, StorageError> {
        match &command.action {
            Some(Action::CreateDatabase(action)) => self.create_database(log_id, action),
            Some(Action::DropDatabase(action)) => self.drop_database(log_id, command, action),
            Some(Action::CreateCollection(action)) => {
                self.within(log_id, command, action.database_id, |x| x.create_collection(action))
            }
            Some(Action::DropCollection(action)) => {
                self.within(log_id, command, action.database_id, |x| x.drop_collection(action))
            }
            Some(Action::Insert(action)) => {
                self.within(log_id, command, action.database_id, |x| x.insert(action))
            }
            Some(Action::Update(action)) => {
                self.within(log_id, command, action.database_id, |x| x.update(action))
            }
            Some(Action::Delete(action)) => {
                self.within(log_id, command, action.database_id, |x| x.delete(action))
            }
            Some(Action::PutSystemRecord(action)) => {
                let result =
                    self.within(log_id, command, ADMIN.0, |x| x.put_system_record(log_id, action))?;
                self.note_system_change();
                Ok(result)
            }
            // A command of a known feature version has an action; prost drops those that it does not know.
            None => Err(StorageError::Feature { needed: command.feature.max(FEATURE + 1), known: FEATURE }),
        }
    }

    /// Runs a command within its database, once however often it is retried.
    fn within(
        &self,
        log_id: &LogId,
        command: &Command,
        database: u64,
        run: impl FnOnce(&mut Execution) -> Result<CommandResult, StorageError>,
    ) -> Result<CommandResult, StorageError> {
        let Ok(instance) = self.instance(DatabaseId(database)) else {
            // Dropped, or never there: the leader looks the name up again.
            return Ok(refused(DocumentError::namespace_not_found("the database does not exist")));
        };
        if instance.has(log_id.index) {
            return Ok(CommandResult::default());
        }
        let mut execution = Execution::new(&instance);
        let retry = command.retry.as_ref();
        let mut result = match retry.map(|id| execution.earlier_try(id)).transpose()?.flatten() {
            Some(earlier) => earlier,
            None => {
                let mut result = run(&mut execution)?;
                result.format = wire::FORMAT;
                result.applied_index = log_id.index;
                if let Some(id) = retry {
                    execution.remember(id, &result, command.time_ms)?;
                }
                result
            }
        };
        execution.finish(log_id)?;
        result.database_id = database;
        Ok(result)
    }
}

/// The result of a command that is wrong.
fn refused(error: DocumentError) -> CommandResult {
    CommandResult { error: Some(command_error(error)), ..CommandResult::default() }
}

fn command_error(error: DocumentError) -> CommandError {
    CommandError { code: error.code, code_name: error.code_name.to_owned(), message: error.message }
}
