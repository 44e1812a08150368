//! Reads updates.

use bson::{Bson, Document};

use super::{arguments, operation::Operation};
use crate::{DocumentError, compare::type_name, limits::MAX_NESTING, path::FieldPath};

/// Reads operators and puts them in the order in which they are applied.
pub(super) fn operators(update: &Document) -> Result<Vec<Operation>, DocumentError> {
    let mut operations = Vec::new();
    for (operator, fields) in update {
        if !arguments::is_known(operator) {
            return Err(DocumentError::failed_to_parse(format!(
                "Unknown modifier: {operator}. Expected a valid update modifier; Coffer knows $set, $unset, $inc and \
                 $push"
            )));
        }
        let Bson::Document(fields) = fields else {
            return Err(DocumentError::failed_to_parse(format!(
                "Modifiers operate on fields but we found type {} instead. For example: {{{operator}: {{<field>: ...}}}}",
                type_name(fields)
            )));
        };
        for (name, argument) in fields {
            let path = path(name)?;
            if let Some(change) = arguments::change(operator, name, argument) {
                operations.push(Operation { path, change: change? });
            }
        }
    }
    operations.sort_by(|a, b| a.path.update_order(&b.path));
    refuse_conflicts(&operations)?;
    Ok(operations)
}

/// Reads a replacement.
pub(super) fn replacement(update: &Document) -> Result<Document, DocumentError> {
    if let Some(name) = update.keys().find(|name| name.starts_with('$')) {
        return Err(DocumentError::dollar_prefixed_field_name(format!(
            "The dollar ($) prefixed field '{name}' is not allowed in the context of an update's replacement document"
        )));
    }
    Ok(update.clone())
}

pub(super) fn path(text: &str) -> Result<FieldPath, DocumentError> {
    if text.is_empty() {
        return Err(DocumentError::empty_field_name("An empty update path is not valid."));
    }
    let path = FieldPath::new(text);
    if path.components().len() > MAX_NESTING {
        return Err(DocumentError::overflow(format!(
            "an update path has more than {MAX_NESTING} names, deeper than a document may be nested"
        )));
    }
    for component in path.components() {
        let name = component.name.as_str();
        if name.is_empty() {
            return Err(DocumentError::empty_field_name(format!(
                "The update path '{text}' contains an empty field name, which is not allowed."
            )));
        }
        if name == "$" || name.starts_with("$[") {
            return Err(DocumentError::bad_value(format!(
                "the positional operator in the update path '{text}' is not supported; name the index of the element"
            )));
        }
        if name.starts_with('$') {
            return Err(DocumentError::dollar_prefixed_field_name(format!(
                "The dollar ($) prefixed field '{name}' in '{text}' is not valid for storage."
            )));
        }
        if name.contains('\0') {
            return Err(DocumentError::bad_value("a field name must not contain the NUL character"));
        }
    }
    Ok(path)
}

/// Refuses two operations on one path, or on a path and a part of it. In their order such paths are neighbours.
fn refuse_conflicts(operations: &[Operation]) -> Result<(), DocumentError> {
    for pair in operations.windows(2) {
        let [first, second] = pair else { continue };
        if first.path.is_prefix_of(&second.path) {
            return Err(DocumentError::conflicting_update_operators(format!(
                "Updating the path '{}' would create a conflict at '{}'",
                second.path.text(),
                first.path.text()
            )));
        }
    }
    Ok(())
}
