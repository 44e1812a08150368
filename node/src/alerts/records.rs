//! The replicated records of alerts: read, kept up by the leader, acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use coffer_proto::internal::v1::{AlertRecord, MemberKeysRecord};
use coffer_storage::{Engine, StorageError, SystemKind};

use super::book::acknowledge;
use super::{StoredAlert, merge};
use crate::member::Serving;
use crate::services::now_ms;
use crate::system_records::{self, PutError};

/// How long one write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// How often an acknowledgement is tried where the leader's own writes come between.
const ACKNOWLEDGE_TRIES: usize = 4;

/// The records as they are stored; what this version cannot read is left out.
pub(super) async fn read(engine: &Arc<Engine>) -> Result<Vec<StoredAlert>, StorageError> {
    let engine = engine.clone();
    let records = tokio::task::spawn_blocking(move || engine.system_records(SystemKind::Alert))
        .await
        .map_err(|error| StorageError::io("reading the records of alerts", error.into()))??;
    let read = |(id, record): (String, coffer_storage::SystemRecord)| {
        StoredAlert::read(id, record.revision, &record.value)
    };
    Ok(records.into_iter().filter_map(read).collect())
}

/// Makes the records say what the members report: one turn of the leader. `members` are those of the replica set.
///
/// # Errors
/// The records cannot be read or written; the next turn does what this one did not.
pub(crate) async fn keep(
    serving: &Serving,
    leader: u64,
    members: &BTreeSet<u64>,
    reports: &[MemberKeysRecord],
) -> Result<(), PutError> {
    let stored = read(&serving.engine).await.map_err(|error| PutError::Unknown(error.to_string()))?;
    for put in merge(&stored, reports, members, leader, now_ms()) {
        system_records::send(&serving.raft, put, WRITE_LIMIT).await?;
    }
    Ok(())
}

/// Notes at the leader that `by` has seen the alert `id`; `None` where no such alert is open.
///
/// # Errors
/// This member does not lead, or the record cannot be read or written.
pub(super) async fn acknowledge_stored(
    serving: &Serving,
    id: &str,
    by: &str,
) -> Result<Option<AlertRecord>, PutError> {
    let mut tries = ACKNOWLEDGE_TRIES;
    loop {
        let stored = read(&serving.engine).await.map_err(|error| PutError::Unknown(error.to_string()))?;
        let open = |record: &&StoredAlert| record.alert.id == id && record.alert.resolved_ms == 0;
        let Some(record) = stored.iter().find(open) else { return Ok(None) };
        let mut alert = record.alert.clone();
        acknowledge(&mut alert, by, now_ms());
        if alert == record.alert {
            return Ok(Some(alert));
        }
        match system_records::send(&serving.raft, record.replace(&alert), WRITE_LIMIT).await {
            Ok(_) => return Ok(Some(alert)),
            Err(PutError::Conflict { .. }) if tries > 1 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}
