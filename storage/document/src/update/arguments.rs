//! The arguments of the operators.

use bson::{Bson, Document};

use super::operation::Change;
use crate::{DocumentError, compare::type_name, number::Number};

/// What an operator does at a path.
pub(super) enum Action {
    /// Takes away what is there, whatever the argument.
    Remove,
    /// Changes it.
    Change(Change),
}

/// The action of `operator` with `argument` at `path`.
///
/// # Errors
///
/// `FailedToParse` for an operator that is not known, others for an argument of the wrong form.
pub(super) fn action(operator: &str, path: &str, argument: &Bson) -> Result<Action, DocumentError> {
    Ok(match operator {
        "$unset" => Action::Remove,
        "$set" => Action::Change(Change::Set(argument.clone())),
        "$inc" => Action::Change(increment(path, argument)?),
        "$push" => Action::Change(push(argument)?),
        _ => return Err(unknown(operator)),
    })
}

/// Refuses an operator that is not known; for one that comes without fields.
pub(super) fn check_known(operator: &str) -> Result<(), DocumentError> {
    match operator {
        "$unset" | "$set" | "$inc" | "$push" => Ok(()),
        _ => Err(unknown(operator)),
    }
}

fn unknown(operator: &str) -> DocumentError {
    DocumentError::failed_to_parse(format!(
        "Unknown modifier: {operator}. Expected a valid update modifier; Coffer knows $set, $unset, $inc and $push"
    ))
}

fn increment(path: &str, amount: &Bson) -> Result<Change, DocumentError> {
    if Number::of(amount).is_none() {
        return Err(DocumentError::type_mismatch(format!(
            "Cannot increment '{path}' with non-numeric argument of type {}",
            type_name(amount)
        )));
    }
    Ok(Change::Increment(amount.clone()))
}

fn push(argument: &Bson) -> Result<Change, DocumentError> {
    match argument {
        Bson::Document(modifiers) if modifiers.contains_key("$each") => push_each(modifiers),
        value => Ok(Change::Push(vec![value.clone()])),
    }
}

fn push_each(modifiers: &Document) -> Result<Change, DocumentError> {
    if let Some(clause) = modifiers.keys().find(|name| *name != "$each") {
        return Err(DocumentError::bad_value(match clause.as_str() {
            "$slice" | "$sort" | "$position" => {
                format!("the clause {clause} of $push is not supported; only $each is")
            }
            _ => format!("Unrecognized clause in $push: {clause}"),
        }));
    }
    match modifiers.get("$each") {
        Some(Bson::Array(values)) => Ok(Change::Push(values.clone())),
        Some(other) => Err(DocumentError::bad_value(format!(
            "The argument to $each in $push must be an array but it was of type: {}",
            type_name(other)
        ))),
        None => Err(DocumentError::bad_value("$push with clauses needs $each")),
    }
}
