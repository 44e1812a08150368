//! The arguments of the operators.

use bson::{Bson, Document};

use super::operation::Change;
use crate::{DocumentError, compare::type_name, number::Number};

/// The change that `operator` makes with `argument` at `path`; None for an operator that is not known.
pub(super) fn change(operator: &str, path: &str, argument: &Bson) -> Option<Result<Change, DocumentError>> {
    Some(match operator {
        "$set" => Ok(Change::Set(argument.clone())),
        "$unset" => Ok(Change::Unset),
        "$inc" => increment(path, argument),
        "$push" => push(argument),
        _ => return None,
    })
}

/// Whether `operator` is known.
pub(super) fn is_known(operator: &str) -> bool {
    change(operator, "", &Bson::Null).is_some()
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
