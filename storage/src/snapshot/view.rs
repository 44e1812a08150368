//! A view of all databases at one applied id.

use coffer_keyring::DatabaseId;

use crate::{engine::Engine, error::StorageError, instance::Pinned, raft::SnapshotMeta};

/// All databases, pinned between two entries.
pub struct PinnedView {
    meta: SnapshotMeta,
    databases: Vec<(DatabaseId, Pinned)>,
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
            .map(|instance| Ok((instance.id(), instance.pin()?)))
            .collect::<Result<_, StorageError>>()?;
        Ok(Self { meta, databases })
    }

    /// The id and membership of the view.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// The databases in the order of their ids.
    pub fn databases(&self) -> &[(DatabaseId, Pinned)] {
        &self.databases
    }
}
