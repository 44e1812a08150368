//! The document that an upsert inserts.
//!
//! Source: "Upsert Behavior" of `update` in MongoDB's manual.

use bson::{Bson, Document, oid::ObjectId};

use super::{
    check_id_kept,
    operation::{Change, Operation},
    operators::Operators,
    parse, replace,
};
use crate::{DocumentError, Filter, prepare_insert};

/// The replacement, with the `_id` that the filter fixes.
pub(super) fn by_replacement(
    replacement: &Document,
    filter: &Filter,
    generated_id: ObjectId,
) -> Result<Document, DocumentError> {
    let mut fixed = Document::new();
    for (path, value) in filter.equality_fields()? {
        if path == "_id" {
            fixed.insert(path, value);
        } else if path.starts_with("_id.") {
            return Err(DocumentError::not_exact_value_field(format!(
                "field at '_id' must be exactly specified, field at sub-path '{path}' found"
            )));
        }
    }
    Ok(prepare_insert(replace(&fixed, replacement)?, generated_id))
}

/// The fields that the filter fixes, and the operators on them.
pub(super) fn by_operators(
    operators: &Operators,
    filter: &Filter,
    generated_id: ObjectId,
) -> Result<Document, DocumentError> {
    let mut document = base(filter.equality_fields()?)?;
    let fixed = document.clone();
    operators.apply(&mut document)?;
    check_id_kept(&fixed, &document)?;
    Ok(prepare_insert(document, generated_id))
}

fn base(fields: Vec<(String, Bson)>) -> Result<Document, DocumentError> {
    let mut changes = Vec::with_capacity(fields.len());
    for (path, value) in fields {
        changes.push(Operation { path: parse::path(&path)?, change: Change::Set(value) });
    }
    let mut document = Document::new();
    // In the order of the filter, unlike the operators of an update.
    Operators { removals: Vec::new(), changes }.apply(&mut document)?;
    Ok(document)
}
