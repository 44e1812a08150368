//! Ends a read when its caller has gone.

use coffer_storage::Cancel;

/// Cancels when it is dropped: with the future of a call, or with the stream of a cursor. What has ended by then is not
/// touched by it.
#[derive(Default)]
pub struct GivenUp(Cancel);

impl GivenUp {
    /// The flag that the read looks at.
    pub fn flag(&self) -> Cancel {
        self.0.clone()
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
