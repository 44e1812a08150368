//! All operators of an update, ready to be applied.

use bson::Document;

use super::{operation::Operation, removal::remove_all, walk::Walk};
use crate::{DocumentError, limits::MAX_ARRAY_PADDING, path::FieldPath};

/// The operators of one update.
///
/// Invariant: no path is within another, so nothing that is removed is looked at by another operation. The removals are
/// in [`FieldPath::update_order`]; so are the changes of an update, which makes the order of the fields that it adds.
#[derive(Clone)]
pub(super) struct Operators {
    /// The paths of `$unset`.
    pub(super) removals: Vec<FieldPath>,
    /// The rest.
    pub(super) changes: Vec<Operation>,
}

impl Operators {
    /// Applies all to `document`. Returns whether anything changed. After an error the document may be changed in part.
    pub(super) fn apply(&self, document: &mut Document) -> Result<bool, DocumentError> {
        let mut changed = remove_all(document, &self.removals);
        // Shared by all operations, or an update of many paths could fill memory with nulls.
        let mut padding_left = MAX_ARRAY_PADDING;
        for operation in &self.changes {
            changed |= Walk::new(operation, &mut padding_left).in_document(document, 0)?;
        }
        Ok(changed)
    }
}
