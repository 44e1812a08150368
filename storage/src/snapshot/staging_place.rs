//! The one place for a snapshot that is received.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether a generation is being staged, or is staged and not yet installed or given up. Two would share a directory and
/// the versions of their keys.
#[derive(Clone, Default)]
pub struct StagingPlace(Arc<AtomicBool>);

/// Holds the place until it is dropped.
pub struct StagingGuard(StagingPlace);

impl StagingPlace {
    /// Takes the place, if it is free.
    pub fn take(&self) -> Option<StagingGuard> {
        let free = self.0.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok();
        free.then(|| StagingGuard(self.clone()))
    }
}

impl Drop for StagingGuard {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}
