//! One operator on one path.

use bson::Bson;

use crate::{
    DocumentError,
    compare::{identical, type_name},
    number::{Number, add},
    path::FieldPath,
};

/// A change of the value at a path: any operator but `$unset`.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) path: FieldPath,
    pub(super) change: Change,
}

/// What is done at the path.
#[derive(Clone)]
pub(super) enum Change {
    /// `$set`.
    Set(Bson),
    /// `$inc`, by a number.
    Increment(Bson),
    /// `$push` of one value, or of each of a list.
    Push(Vec<Bson>),
}

impl Change {
    /// The value for a path that is not there yet.
    pub(super) fn create(&self) -> Bson {
        match self {
            Self::Set(value) | Self::Increment(value) => value.clone(),
            Self::Push(values) => Bson::Array(values.clone()),
        }
    }

    /// Changes the value that is at `path`. Returns whether it is another now.
    pub(super) fn modify(&self, value: &mut Bson, path: &FieldPath) -> Result<bool, DocumentError> {
        match self {
            Self::Set(new) => Ok(replace(value, new.clone())),
            Self::Increment(amount) => {
                if Number::of(value).is_none() {
                    return Err(DocumentError::type_mismatch(format!(
                        "Cannot apply $inc to a value of non-numeric type. The document has the field '{}' of \
                         non-numeric type {}",
                        path.text(),
                        type_name(value)
                    )));
                }
                let sum = add(value, amount).ok_or_else(|| {
                    DocumentError::bad_value(format!(
                        "Failed to apply $inc operations to the current value of '{}': the sum does not fit a 64-bit \
                         integer",
                        path.text()
                    ))
                })?;
                Ok(replace(value, sum))
            }
            Self::Push(values) => match value {
                Bson::Array(elements) => {
                    elements.extend(values.iter().cloned());
                    Ok(!values.is_empty())
                }
                _ => Err(DocumentError::bad_value(format!(
                    "The field '{}' must be an array but is of type {}",
                    path.text(),
                    type_name(value)
                ))),
            },
        }
    }
}

fn replace(value: &mut Bson, new: Bson) -> bool {
    let changed = !identical(value, &new);
    if changed {
        *value = new;
    }
    changed
}
