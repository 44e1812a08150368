//! Keeps what this member uses of the customer's key equal to the replica set's settings.
//!
//! Invariants:
//! - The settings in force, and those in the keystore for the next start, are those of the record, which only the log
//!   changes.
//! - The first settings are the leader's own, and are written where there are none: a later leader with another
//!   configuration changes nothing.

use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::Keyring;
use coffer_keyring::audit::{AuditAction, AuditEvent};
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;
use tokio::time::sleep;

use super::difference::difference;
use super::store::{self, Stored};
use super::{KeySettings, ReadError};
use crate::member::{Member, Serving};
use crate::services::now_ms;
use crate::system_records::PutError;

/// How often a member looks whether it leads a replica set without settings, which is so for a moment after its first start.
const SEED_PERIOD: Duration = Duration::from_millis(200);

/// When a step that failed is tried again.
const RETRY_PERIOD: Duration = Duration::from_secs(5);

/// Follows the settings until the member drains. `seed` is what a new replica set begins with where this member leads it.
pub(crate) async fn follow(member: Arc<Member>, seed: Option<KeySettings>) {
    let draining = member.draining().clone();
    tokio::select! {
        () = draining.cancelled() => {}
        () = follow_serving(&member, seed) => {}
    }
}

async fn follow_serving(member: &Arc<Member>, seed: Option<KeySettings>) {
    // Whoever holds what it serves with keeps the databases open: it is taken for one step and let go.
    let Ok(mut changes) = member.serving().map(|serving| serving.engine.system_changes()) else { return };
    let mut complained = false;
    loop {
        changes.mark_unchanged();
        let Ok(serving) = member.serving() else { return };
        let step = step(member, &serving, seed.as_ref()).await;
        drop(serving);
        let pause = match step {
            Ok(Step::Settled) => None,
            Ok(Step::Unset) => Some(SEED_PERIOD),
            Err(error) => {
                if !complained {
                    tracing::error!(%error, "the settings of the customer's key cannot be taken in; it is tried again");
                }
                complained = true;
                Some(RETRY_PERIOD)
            }
        };
        complained &= pause == Some(RETRY_PERIOD);
        if wait(&mut changes, pause).await.is_err() {
            return;
        }
    }
}

/// Waits for a change, or for the pause to be over.
async fn wait(
    changes: &mut watch::Receiver<u64>,
    pause: Option<Duration>,
) -> Result<(), watch::error::RecvError> {
    match pause {
        None => changes.changed().await,
        Some(pause) => tokio::select! {
            changed = changes.changed() => changed,
            () = sleep(pause) => Ok(()),
        },
    }
}

/// How a step ended.
enum Step {
    /// Nothing is left to be done until the record changes.
    Settled,
    /// There are no settings, and this member may be the one to write them.
    Unset,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Keystore(#[from] coffer_keyring::KeystoreError),
    #[error("{0}")]
    Internal(String),
}

async fn step(member: &Member, serving: &Serving, seed: Option<&KeySettings>) -> Result<Step, StepError> {
    match (store::read(&serving.engine).await?, seed) {
        (Some(stored), _) => {
            adopt(member, &serving.keyring, stored).await?;
            Ok(Step::Settled)
        }
        (None, None) => Ok(Step::Settled),
        (None, Some(seed)) => {
            begin(serving, seed).await;
            Ok(Step::Unset)
        }
    }
}

/// Writes the first settings, where this member leads.
async fn begin(serving: &Serving, seed: &KeySettings) {
    if !serving.raft.metrics().borrow_watched().state.is_leader() {
        return;
    }
    let first = seed.clone().with_version(1, now_ms());
    match store::write(&serving.raft, &first, 0).await {
        Ok(_) => {
            tracing::info!(cmk = %first.cmk(), home = %first.home(), "the replica set begins with these settings")
        }
        // Another leader was quicker, or this one leads no more: the next look shows it.
        Err(PutError::Conflict { .. } | PutError::NotLeader(_)) => {}
        Err(error) => tracing::debug!(%error, "the first settings are not written yet"),
    }
}

/// Takes settings in: for this process, and in the keystore for the next one.
async fn adopt(member: &Member, keyring: &Keyring, stored: Stored) -> Result<(), StepError> {
    let before = member.key().settings();
    let record = stored.record;
    if before.version > record.version {
        // This member's log says less, for a moment, than what it took in before it was restarted.
        return Ok(());
    }
    if before.version < record.version {
        let changed = difference(&before, &record);
        tracing::info!(version = record.version, %changed, "the settings of the customer's key");
        let detail = changed.to_string();
        let action = AuditAction::SettingsChanged { version: record.version, detail };
        member.audit().record(AuditEvent::new(action).by("replica set"));
    }
    if let Err(error) = member.key().adopt(record.clone()) {
        tracing::error!(%error, "the settings are in force, and the customer's key is still asked as before");
    }
    let bytes = prost::Message::encode_to_vec(&record);
    if keyring.settings().as_ref() == Some(&bytes) {
        return Ok(());
    }
    let keyring = keyring.clone();
    let cached = tokio::task::spawn_blocking(move || keyring.set_settings(&bytes)).await;
    cached.map_err(|error| StepError::Internal(error.to_string()))??;
    Ok(())
}
