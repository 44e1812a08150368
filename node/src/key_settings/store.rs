//! Where settings are kept: one system record of the replica set.

use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::kms::KeyArn;
use coffer_proto::internal::v1::{MemberKeysRecord, SettingsRecord};
use coffer_storage::raft::Raft;
use coffer_storage::{Engine, StorageError, SystemKind};
use prost::Message;

use super::{KeySettings, SettingsError};
use crate::key_work::{KeyTargets, TargetsError};
use crate::system_records::{Expect, PutError, put};

/// The id of a record of which there is one.
const ONLY: &str = "";

/// How long one write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How often the record of key work is tried again because somebody else was quicker.
const TRIES: u32 = 10;

/// Why the settings are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The record cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A task of this process failed.
    #[error("{0}")]
    Internal(String),
}

/// The settings as they are stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Revision of the record: a change expects it.
    pub(crate) revision: u64,
    /// The record.
    pub(crate) record: SettingsRecord,
}

/// Reads the settings; `None`: none were stored yet.
///
/// # Errors
/// They are there, and cannot be read.
pub(crate) async fn read(engine: &Arc<Engine>) -> Result<Option<Stored>, ReadError> {
    let Some((revision, bytes)) = record(engine, SystemKind::Settings).await? else { return Ok(None) };
    Ok(Some(Stored { revision, record: KeySettings::decode(&bytes)?.to_record() }))
}

/// Writes settings in the place of those of `revision`; 0: there are none yet.
///
/// # Errors
/// They were not written, or nobody knows.
pub(crate) async fn write(raft: &Raft, settings: &KeySettings, revision: u64) -> Result<u64, PutError> {
    let kind = SystemKind::Settings.number();
    put(raft, kind, ONLY, expect(revision), settings.encode(), WRITE_LIMIT).await
}

/// Has every member make a new master key under `new`, in the place of `old`. That they are to do so follows from the
/// settings alone; this record says since when, and which key is not to be deleted until they have.
///
/// # Errors
/// It was not written. The settings hold all the same.
pub(crate) async fn request_masters(
    engine: &Arc<Engine>,
    raft: &Raft,
    old: &KeyArn,
    new: &KeyArn,
    now_ms: i64,
) -> Result<(), RequestError> {
    for _ in 0..TRIES {
        let known =
            record(engine, SystemKind::Targets).await.map_err(|error| RequestError(error.to_string()))?;
        let (revision, mut targets) = match known {
            Some((revision, bytes)) => {
                (revision, KeyTargets::decode(&bytes).map_err(|error| RequestError(error.to_string()))?)
            }
            None => (0, KeyTargets::default()),
        };
        targets.request_cmk_round(old, new, now_ms)?;
        let kind = SystemKind::Targets.number();
        match put(raft, kind, ONLY, expect(revision), targets.encode(), WRITE_LIMIT).await {
            Ok(_) => return Ok(()),
            Err(PutError::Conflict { .. }) => {}
            Err(error) => return Err(RequestError(error.to_string())),
        }
    }
    Err(RequestError("it is changed all the time".to_owned()))
}

/// Why the record of key work was not written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RequestError(String);

impl From<TargetsError> for RequestError {
    fn from(error: TargetsError) -> Self {
        Self(error.to_string())
    }
}

/// What members said of their keys last.
///
/// # Errors
/// Storage failed.
pub(crate) async fn member_reports(engine: &Arc<Engine>) -> Result<Vec<MemberKeysRecord>, ReadError> {
    let records = blocking(engine, |engine| engine.system_records(SystemKind::MemberKeys)).await?;
    Ok(records.iter().filter_map(|(_, record)| MemberKeysRecord::decode(&record.value[..]).ok()).collect())
}

fn expect(revision: u64) -> Expect {
    if revision == 0 { Expect::Absent } else { Expect::Revision(revision) }
}

async fn record(engine: &Arc<Engine>, kind: SystemKind) -> Result<Option<(u64, bytes::Bytes)>, ReadError> {
    let record = blocking(engine, move |engine| engine.system_record(kind, ONLY)).await?;
    Ok(record.map(|record| (record.revision, record.value)))
}

/// Reads on a thread of its own: a disk may be slow.
async fn blocking<T: Send + 'static>(
    engine: &Arc<Engine>,
    read: impl FnOnce(&Engine) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, ReadError> {
    let engine = engine.clone();
    let task = tokio::task::spawn_blocking(move || read(&engine));
    Ok(task.await.map_err(|error| ReadError::Internal(error.to_string()))??)
}
