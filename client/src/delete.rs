//! What a delete answers.

/// The answer to a delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteResult {
    /// How many documents were deleted.
    pub deleted: u64,
    /// The log index of the delete.
    pub applied_index: u64,
}
