//! Walks a path through a document and changes what is at its end.

use bson::{Bson, Document};

use super::operation::{Change, Operation, Outcome};
use crate::{
    DocumentError,
    compare::type_name,
    limits::MAX_ARRAY_PADDING,
    path::{Component, FieldPath},
};

/// Applies all operations in their order. Returns whether anything changed.
pub(super) fn apply_all(document: &mut Document, operations: &[Operation]) -> Result<bool, DocumentError> {
    let mut changed = false;
    // Shared by all operations, or an update of many paths could fill memory with nulls.
    let mut padding_left = MAX_ARRAY_PADDING;
    for operation in operations {
        let mut walk =
            Walk { path: &operation.path, change: &operation.change, padding_left: &mut padding_left };
        changed |= walk.in_document(document, 0)?;
    }
    Ok(changed)
}

/// One operation under way. Its methods return whether they changed anything. The recursion is as deep as the path,
/// which the parser has bounded.
struct Walk<'a> {
    path: &'a FieldPath,
    change: &'a Change,
    padding_left: &'a mut usize,
}

impl Walk<'_> {
    fn in_document(&mut self, document: &mut Document, at: usize) -> Result<bool, DocumentError> {
        let Some((component, rest)) = self.path.components()[at..].split_first() else { return Ok(false) };
        let name = &component.name;
        match document.get_mut(name) {
            Some(value) if rest.is_empty() => match self.change.modify(value, self.path)? {
                Outcome::Unchanged => Ok(false),
                Outcome::Changed => Ok(true),
                Outcome::Removed => {
                    document.remove(name);
                    Ok(true)
                }
            },
            Some(value) => self.in_value(value, at),
            None => match self.change.create() {
                Some(value) => {
                    document.insert(name.clone(), nest(value, rest));
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }

    /// Goes into the value of the name at `at`, which is not the last.
    fn in_value(&mut self, value: &mut Bson, at: usize) -> Result<bool, DocumentError> {
        match value {
            Bson::Document(document) => self.in_document(document, at + 1),
            Bson::Array(elements) => self.in_array(elements, at + 1),
            other => self.not_viable(at, type_name(other)),
        }
    }

    fn in_array(&mut self, elements: &mut Vec<Bson>, at: usize) -> Result<bool, DocumentError> {
        let Some((component, rest)) = self.path.components()[at..].split_first() else { return Ok(false) };
        let Some(index) = component.index else { return self.not_viable(at - 1, "array") };
        match elements.get_mut(index) {
            Some(value) if rest.is_empty() => match self.change.modify(value, self.path)? {
                Outcome::Unchanged => Ok(false),
                Outcome::Changed => Ok(true),
                // An element cannot be taken out without moving the others; it becomes null.
                Outcome::Removed => Ok(!matches!(std::mem::replace(value, Bson::Null), Bson::Null)),
            },
            Some(value) => self.in_value(value, at),
            None => match self.change.create() {
                Some(value) => {
                    self.pad(elements, index)?;
                    elements.push(nest(value, rest));
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }

    /// Fills `elements` with nulls up to `index`.
    fn pad(&mut self, elements: &mut Vec<Bson>, index: usize) -> Result<(), DocumentError> {
        let padding = index - elements.len();
        *self.padding_left = self.padding_left.checked_sub(padding).ok_or_else(|| {
            DocumentError::cannot_backfill_array(format!(
                "the index in '{}' is too far past the end of the array: one update adds at most {MAX_ARRAY_PADDING} \
                 nulls",
                self.path.text()
            ))
        })?;
        elements.resize(index, Bson::Null);
        Ok(())
    }

    /// The name after `at` cannot be in a value of this type: an error, or nothing to unset.
    fn not_viable(&self, at: usize, found: &str) -> Result<bool, DocumentError> {
        if matches!(self.change, Change::Unset) {
            return Ok(false);
        }
        let components = self.path.components();
        Err(DocumentError::path_not_viable(format!(
            "Cannot create field '{}' in element '{}' of type {found}",
            components[at + 1].name,
            components[at].name
        )))
    }
}

/// `value` within new documents, one for each name of `path`.
pub(super) fn nest(value: Bson, path: &[Component]) -> Bson {
    path.iter().rev().fold(value, |inner, component| {
        let mut document = Document::new();
        document.insert(component.name.clone(), inner);
        Bson::Document(document)
    })
}
