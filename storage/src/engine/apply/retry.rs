//! A write takes effect once, however often it is sent.
//!
//! A session has one write under way. Its record in the instance holds the last sequence number and what its parts gave;
//! the record is written in the batch of the effect itself, so one is never there without the other. Sessions that were
//! silent for half an hour of the leaders' clocks are forgotten, as MongoDB forgets them.

use coffer_proto::internal::v1::{CommandError, CommandResult, RetryId, RetryRecord};
use prost::Message;
use rocksdb::{IteratorMode, ReadOptions};

use super::Execution;
use crate::{error::StorageError, instance::Key, raft::wire};

/// How long a silent session is remembered, milliseconds. MongoDB's `localLogicalSessionTimeoutMinutes`.
const SESSION_MS: i64 = 30 * 60 * 1000;

/// Old sessions that one write forgets at most: more than it can add, so that they never pile up.
const FORGET_AT_ONCE: usize = 4;

/// MongoDB's code for a statement that is older than the session's last.
const TRANSACTION_TOO_OLD: i32 = 225;

impl Execution {
    /// What an earlier try of the same write gave, if there was one.
    pub fn earlier_try(&self, id: &RetryId) -> Result<Option<CommandResult>, StorageError> {
        let Some(record) = self.session(&id.session_id)? else { return Ok(None) };
        if record.sequence > id.sequence {
            let error = CommandError {
                code: TRANSACTION_TOO_OLD,
                code_name: "TransactionTooOld".to_owned(),
                message: format!(
                    "the session has gone on to write {} and this is write {}: a retry must come before the next write",
                    record.sequence, id.sequence
                ),
            };
            return Ok(Some(CommandResult {
                format: wire::FORMAT,
                error: Some(error),
                ..CommandResult::default()
            }));
        }
        if record.sequence < id.sequence || id.part >= record.parts {
            return Ok(None);
        }
        let earlier = if id.part == 0 {
            record.first
        } else {
            self.instance
                .get(&Key::part(&id.session_id, id.part))?
                .map(|bytes| wire::decode("result", &bytes, |r: &CommandResult| r.format))
                .transpose()
                .map_err(|error| self.instance.record(error))?
        };
        Ok(earlier.map(|result| CommandResult { replayed: true, ..result }))
    }

    /// Keeps what this write gave.
    pub fn remember(
        &mut self,
        id: &RetryId,
        result: &CommandResult,
        time_ms: i64,
    ) -> Result<(), StorageError> {
        let before = self.session(&id.session_id)?;
        let mut record = RetryRecord {
            format: wire::FORMAT,
            sequence: id.sequence,
            parts: id.part + 1,
            time_ms,
            first: None,
        };
        match &before {
            Some(before) if before.sequence == id.sequence => record.first = before.first.clone(),
            Some(before) => {
                for part in 1..before.parts {
                    self.batch.delete(Key::part(&id.session_id, part));
                }
            }
            None => {}
        }
        if id.part == 0 {
            record.first = Some(result.clone());
        } else {
            self.batch.put(Key::part(&id.session_id, id.part), result.encode_to_vec());
        }
        self.batch.put(Key::session(&id.session_id), record.encode_to_vec());
        let seen = Key::session_by_time(minute(time_ms), &id.session_id);
        let seen_before = before.map(|before| Key::session_by_time(minute(before.time_ms), &id.session_id));
        if seen_before.as_ref() != Some(&seen) {
            self.batch.put(seen, b"");
            if let Some(seen_before) = seen_before {
                self.batch.delete(seen_before);
            }
        }
        self.forget_old_sessions(time_ms, &id.session_id)
    }

    fn session(&self, session: &[u8]) -> Result<Option<RetryRecord>, StorageError> {
        let Some(bytes) = self.instance.get(&Key::session(session))? else { return Ok(None) };
        wire::decode("retry record", &bytes, |r: &RetryRecord| r.format)
            .map(Some)
            .map_err(|error| self.instance.record(error))
    }

    fn forget_old_sessions(&mut self, now_ms: i64, present: &[u8]) -> Result<(), StorageError> {
        let before = Key::session_by_time(minute(now_ms.saturating_sub(SESSION_MS)), &[]);
        let instance = self.instance.clone();
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(Key::SESSIONS_BY_TIME);
        // The bound keeps the iterator out of what is not old, the marks of deletions there included.
        options.set_iterate_upper_bound(before);
        let old = instance.db().iterator_opt(IteratorMode::Start, options);
        for item in old.take(FORGET_AT_ONCE) {
            let (key, _) = item.map_err(|error| instance.engine(error))?;
            let session = key.get(1 + 8..).unwrap_or_default();
            if session == present {
                continue;
            }
            if let Some(record) = self.session(session)? {
                for part in 1..record.parts {
                    self.batch.delete(Key::part(session, part));
                }
            }
            self.batch.delete(Key::session(session));
            self.batch.delete(&key);
        }
        Ok(())
    }
}

/// Sessions are kept in the order of whole minutes: a busy one moves once a minute, not with every write.
fn minute(time_ms: i64) -> i64 {
    time_ms.div_euclid(60_000)
}
