//! Walks a path through a document and changes what is at its end.

use bson::{Bson, Document};

use super::operation::{Change, Operation};
use crate::{
    DocumentError,
    compare::type_name,
    limits::MAX_ARRAY_PADDING,
    path::{Component, FieldPath},
};

/// One operation under way. Its methods return whether they changed anything. The recursion is as deep as the path,
/// which the parser has bounded.
pub(super) struct Walk<'a> {
    path: &'a FieldPath,
    change: &'a Change,
    /// Nulls that may still be put into arrays.
    padding_left: &'a mut usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(operation: &'a Operation, padding_left: &'a mut usize) -> Self {
        Self { path: &operation.path, change: &operation.change, padding_left }
    }

    /// Goes on in `document` with the name at `at`.
    pub(super) fn in_document(&mut self, document: &mut Document, at: usize) -> Result<bool, DocumentError> {
        let Some((component, rest)) = self.path.components()[at..].split_first() else { return Ok(false) };
        let name = &component.name;
        match document.get_mut(name) {
            Some(value) if rest.is_empty() => self.change.modify(value, self.path),
            Some(value) => self.in_value(value, at),
            None => {
                document.insert(name.clone(), nest(self.change.create(), rest));
                Ok(true)
            }
        }
    }

    /// Goes into the value of the name at `at`, which is not the last.
    fn in_value(&mut self, value: &mut Bson, at: usize) -> Result<bool, DocumentError> {
        match value {
            Bson::Document(document) => self.in_document(document, at + 1),
            Bson::Array(elements) => self.in_array(elements, at + 1),
            other => Err(self.not_viable(at, type_name(other))),
        }
    }

    fn in_array(&mut self, elements: &mut Vec<Bson>, at: usize) -> Result<bool, DocumentError> {
        let Some((component, rest)) = self.path.components()[at..].split_first() else { return Ok(false) };
        let Some(index) = component.index else { return Err(self.not_viable(at - 1, "array")) };
        match elements.get_mut(index) {
            Some(value) if rest.is_empty() => self.change.modify(value, self.path),
            Some(value) => self.in_value(value, at),
            None => {
                self.pad(elements, index)?;
                elements.push(nest(self.change.create(), rest));
                Ok(true)
            }
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

    /// The error for a name after `at` that cannot be in a value of this type.
    fn not_viable(&self, at: usize, found: &str) -> DocumentError {
        let components = self.path.components();
        DocumentError::path_not_viable(format!(
            "Cannot create field '{}' in element '{}' of type {found}",
            components[at + 1].name,
            components[at].name
        ))
    }
}

/// `value` within new documents, one for each name of `path`.
fn nest(value: Bson, path: &[Component]) -> Bson {
    path.iter().rev().fold(value, |inner, component| {
        let mut document = Document::new();
        document.insert(component.name.clone(), inner);
        Bson::Document(document)
    })
}
