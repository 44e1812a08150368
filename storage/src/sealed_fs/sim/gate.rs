//! Holds syncs up, as a slow disk does.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often a held sync looks whether the power has gone.
const LOOK: Duration = Duration::from_millis(10);

/// Closed for the files whose path contains a text, or open.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed_for: Mutex<Option<String>>,
    opened: Condvar,
}

impl Gate {
    pub(super) fn close(&self, path_contains: &str) {
        *self.closed_for.lock().unwrap_or_else(PoisonError::into_inner) = Some(path_contains.to_owned());
    }

    pub(super) fn open(&self) {
        *self.closed_for.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.opened.notify_all();
    }

    /// Waits while it is closed for `path` and `powered` says so.
    pub(super) fn pass(&self, path: &Path, powered: impl Fn() -> bool) {
        let mut closed_for = self.closed_for.lock().unwrap_or_else(PoisonError::into_inner);
        let path = path.to_string_lossy();
        while closed_for.as_ref().is_some_and(|part| path.contains(part.as_str())) && powered() {
            closed_for = self.opened.wait_timeout(closed_for, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
