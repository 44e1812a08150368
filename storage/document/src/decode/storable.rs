//! What may be stored beyond being well-formed: the rules for field names and for `_id`.

use bson::{Bson, Document};

use super::measure;
use crate::{DocumentError, compare::type_name, limits::MAX_DOCUMENT_BYTES};

/// Checks a document made here (by an update or an upsert) in full: names, `_id`, nesting, size. `too_large` makes the
/// error for its size out of a message.
pub(crate) fn check_storable(
    document: &Document,
    too_large: fn(String) -> DocumentError,
) -> Result<(), DocumentError> {
    let length = measure(document)?;
    if length > MAX_DOCUMENT_BYTES {
        return Err(too_large(format!(
            "the resulting document has {length} bytes; at most {MAX_DOCUMENT_BYTES} are allowed"
        )));
    }
    check_names_and_id(document)
}

/// Checks the top-level field names and `_id`.
pub(super) fn check_names_and_id(document: &Document) -> Result<(), DocumentError> {
    for (name, value) in document {
        if name.starts_with('$') {
            return Err(DocumentError::dollar_prefixed_field_name(format!(
                "the field '{name}' cannot be stored: names at the top of a document must not start with '$'"
            )));
        }
        check_no_nul(name)?;
        if name == "_id" {
            check_id(value)?;
        }
    }
    Ok(())
}

/// Checks that `value` may be an `_id`.
fn check_id(value: &Bson) -> Result<(), DocumentError> {
    match value {
        Bson::Array(_) | Bson::RegularExpression(_) | Bson::Undefined => {
            Err(DocumentError::invalid_id_field(format!(
                "the '_id' value cannot be of type {}; use another type, or leave it out to have one generated",
                type_name(value)
            )))
        }
        Bson::Document(document) => check_names_in_id(document),
        _ => Ok(()),
    }
}

fn check_names_in_id(document: &Document) -> Result<(), DocumentError> {
    for (name, value) in document {
        if name.starts_with('$') {
            return Err(DocumentError::dollar_prefixed_field_name(format!(
                "the field '{name}' within '_id' cannot be stored: names there must not start with '$'"
            )));
        }
        check_no_nul(name)?;
        check_names_in_value(value)?;
    }
    Ok(())
}

fn check_names_in_value(value: &Bson) -> Result<(), DocumentError> {
    match value {
        Bson::Document(document) => check_names_in_id(document),
        Bson::Array(elements) => elements.iter().try_for_each(check_names_in_value),
        _ => Ok(()),
    }
}

/// Names out of bytes cannot hold NUL; those of a document made in memory could, and could then not be written.
fn check_no_nul(name: &str) -> Result<(), DocumentError> {
    if name.contains('\0') {
        return Err(DocumentError::bad_value("a field name must not contain the NUL character"));
    }
    Ok(())
}
