//! What a writer was told.

use coffer_client::{Error, ErrorKind};

/// What became of a write, as far as its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged: it must never be lost.
    Acknowledged,
    /// It may have taken effect, or may yet, or not.
    Unknown,
    /// The driver promised that nothing was changed.
    NotDone,
}

impl Outcome {
    /// Reads the result of a write.
    pub fn of<T>(result: &Result<T, Error>) -> Self {
        match result {
            Ok(_) => Self::Acknowledged,
            Err(error) => match error.kind() {
                ErrorKind::Unreachable | ErrorKind::Sealed | ErrorKind::Usage | ErrorKind::Refused => {
                    Self::NotDone
                }
                // A fault of a member says nothing about what it did before.
                _ => Self::Unknown,
            },
        }
    }
}
