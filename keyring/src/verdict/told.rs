//! What members tell each other of a denial.

use crate::kms::{KeyState, Region};

/// A denial that is a fact of the key, the same for every member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedFact {
    /// Where the key is denied.
    pub region: Region,
    /// Its state there, where it was read.
    pub key_state: Option<KeyState>,
    /// Whether the teller confirmed it.
    pub confirmed: bool,
}
