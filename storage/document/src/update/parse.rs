//! Reads updates.

use bson::{Bson, Document};

use super::{
    arguments::{self, Action},
    operation::Operation,
    operators::Operators,
};
use crate::{DocumentError, compare::type_name, path::FieldPath};

/// Reads operators and puts them in the order in which they are applied.
pub(super) fn operators(update: &Document) -> Result<Operators, DocumentError> {
    let mut actions = Vec::new();
    for (operator, fields) in update {
        arguments::check_known(operator)?;
        let Bson::Document(fields) = fields else {
            return Err(DocumentError::failed_to_parse(format!(
                "Modifiers operate on fields but we found type {} instead. For example: {{{operator}: {{<field>: ...}}}}",
                type_name(fields)
            )));
        };
        for (name, argument) in fields {
            actions.push((path(name)?, arguments::action(operator, name, argument)?));
        }
    }
    actions.sort_by(|(a, _), (b, _)| a.update_order(b));
    refuse_conflicts(&actions)?;
    let mut operators = Operators { removals: Vec::new(), changes: Vec::new() };
    for (path, action) in actions {
        match action {
            Action::Remove => operators.removals.push(path),
            Action::Change(change) => operators.changes.push(Operation { path, change }),
        }
    }
    Ok(operators)
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
    let path = FieldPath::parse(text)?;
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

/// Refuses two actions on one path, or on a path and a part of it. In their order such paths are neighbours.
fn refuse_conflicts(actions: &[(FieldPath, Action)]) -> Result<(), DocumentError> {
    for pair in actions.windows(2) {
        let [(first, _), (second, _)] = pair else { continue };
        if first.is_prefix_of(second) {
            return Err(DocumentError::conflicting_update_operators(format!(
                "Updating the path '{}' would create a conflict at '{}'",
                second.text(),
                first.text()
            )));
        }
    }
    Ok(())
}
