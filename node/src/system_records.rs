//! Writes the replica set's own records through Raft.

use std::time::Duration;

use coffer_proto::internal::v1::{PutSystemRecord, command::Action};
use coffer_storage::raft::Raft;

use crate::services::{LeaderHint, ServiceError, propose_system};

/// What a record has to be for it to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Whatever is there.
    Anything,
    /// There is none yet.
    Absent,
    /// It is of this revision.
    Revision(u64),
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    /// Another member leads. Nothing was done.
    #[error("this member does not lead")]
    NotLeader(LeaderHint),
    /// Somebody else wrote it meanwhile: read it again.
    #[error("it was changed meanwhile")]
    Conflict {
        /// The revision that it has; 0: it is not there.
        present: u64,
    },
    /// It may or may not be written: read it again.
    #[error("{0}")]
    Unknown(String),
    /// It cannot be written as it is.
    #[error("{0}")]
    Refused(String),
}

/// Writes a record of `kind` (a `SystemKind` of storage); answers its new revision.
///
/// # Errors
/// It was not written, or nobody knows.
pub(crate) async fn put(
    raft: &Raft,
    kind: u32,
    id: &str,
    expect: Expect,
    value: Vec<u8>,
    limit: Duration,
) -> Result<u64, PutError> {
    let record = PutSystemRecord { kind, id: id.to_owned(), value: value.into(), ..under(expect) };
    send(raft, record, limit).await
}

/// Removes a record of `kind`; nothing is done where it is not there.
///
/// # Errors
/// It was not removed, or nobody knows.
pub(crate) async fn remove(
    raft: &Raft,
    kind: u32,
    id: &str,
    expect: Expect,
    limit: Duration,
) -> Result<u64, PutError> {
    let record = PutSystemRecord { kind, id: id.to_owned(), remove: true, ..under(expect) };
    send(raft, record, limit).await
}

fn under(expect: Expect) -> PutSystemRecord {
    PutSystemRecord {
        expected_revision: if let Expect::Revision(revision) = expect { revision } else { 0 },
        unconditional: expect == Expect::Anything,
        ..PutSystemRecord::default()
    }
}

/// Does a write as it is; answers the new revision.
///
/// # Errors
/// It was not done, or nobody knows.
pub(crate) async fn send(raft: &Raft, record: PutSystemRecord, limit: Duration) -> Result<u64, PutError> {
    let result = propose_system(raft, Action::PutSystemRecord(record), limit).await;
    let result = result.map_err(|error| match error {
        ServiceError::NotLeader(hint) => PutError::NotLeader(hint),
        other => PutError::Unknown(other.to_string()),
    })?;
    match result.error {
        None => Ok(result.revision),
        Some(error) if error.code_name == "RevisionConflict" => {
            Err(PutError::Conflict { present: result.revision })
        }
        Some(error) => Err(PutError::Refused(error.message)),
    }
}
