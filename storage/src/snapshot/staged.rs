//! A generation that was received and is not live yet.

use std::{path::PathBuf, sync::Arc};

use coffer_keyring::{Generation, StagedKey};

use coffer_proto::internal::v1::CheckpointDatabase;

use super::staging_place::StagingGuard;
use crate::{instance::opener::remove_tree, sealed_fs::Disk};

/// Databases on stable storage in a directory of their own, with the keys that seal them, which no keystore holds yet.
///
/// Dropped without being installed, it removes its files; without their keys they are unreadable anyway.
pub struct StagedGeneration {
    pub(super) generation: Generation,
    pub(super) dir: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    /// How far the writes of each database reach.
    pub(super) databases: Vec<CheckpointDatabase>,
    /// Taken by the installation.
    pub(super) keys: std::sync::Mutex<Option<Vec<StagedKey>>>,
    /// Given back when the files are installed or gone: fields are dropped after `drop` has run.
    pub(super) _place: StagingGuard,
}

impl Drop for StagedGeneration {
    fn drop(&mut self) {
        let installed = self.keys.get_mut().map_or(true, |keys| keys.is_none());
        if !installed && let Err(error) = remove_tree(&*self.disk, &self.dir) {
            // The next start removes it.
            tracing::warn!(%error, "could not remove a snapshot that was not installed");
        }
    }
}
