//! Where the files of one instance get their keys from.

use std::sync::Arc;

use super::key::SealingKey;

/// The keys of one instance. A source is asked at every open of a file, so a rotation is seen by
/// the next file without a restart.
pub trait KeySource: Send + Sync {
    /// The key that new files are sealed under; `None` when keys are gone (sealed, or stopping).
    fn current(&self) -> Option<Arc<SealingKey>>;

    /// The key of a version that a header names; `None` when it is unknown or retired.
    fn version(&self, version: u32) -> Option<Arc<SealingKey>>;
}
