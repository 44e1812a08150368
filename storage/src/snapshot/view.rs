//! A view of all databases at one applied id.

use std::sync::Arc;

use super::sending::{Sending, SendingGuard};
use crate::{
    engine::Engine,
    error::StorageError,
    instance::{DatabaseInstance, Pinned},
    raft::SnapshotMeta,
};

/// All databases, pinned between two entries.
pub struct PinnedView {
    meta: SnapshotMeta,
    databases: Vec<(Arc<DatabaseInstance>, Pinned)>,
    sending: Sending,
}

impl PinnedView {
    /// Pins the present state. Must not run while an entry is applied: openraft calls it between applies.
    ///
    /// # Errors
    /// The engine is closing.
    pub fn new(engine: &Engine) -> Result<Self, StorageError> {
        let state = engine.applied_state();
        let meta = SnapshotMeta { last_log_id: state.log_id, last_membership: state.membership };
        let instances = engine.databases().instances();
        let databases = instances
            .iter()
            .map(|instance| Ok((instance.clone(), instance.pin()?)))
            .collect::<Result<_, StorageError>>()?;
        Ok(Self { meta, databases, sending: engine.sending.clone() })
    }

    /// The id and membership of the view.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// The databases in the order of their ids.
    pub fn databases(&self) -> &[(Arc<DatabaseInstance>, Pinned)] {
        &self.databases
    }

    /// Keeps the log from this view on while it is sent.
    pub(super) fn sending(&self) -> SendingGuard {
        self.sending.begin(self.meta.last_log_id.map_or(0, |id| id.index))
    }
}
