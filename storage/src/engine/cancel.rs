//! Ends a read whose caller has gone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A flag that a read looks at with every document. Cheap to clone; all clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the reads that hold a clone, with [`crate::StorageError::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
