//! Finds field names that occur twice in one document, which a decoded document cannot show any more.

use std::collections::BTreeSet;

use bson::{Bson, Document, RawBsonRef, RawDocument};

use crate::DocumentError;

/// The fields of all documents in `document`, elements of arrays not counted. Nesting is bounded by the scan before.
pub(super) fn count_fields(document: &Document) -> usize {
    document.len() + document.values().map(count_in_value).sum::<usize>()
}

fn count_in_value(value: &Bson) -> usize {
    match value {
        Bson::Document(document) => count_fields(document),
        Bson::Array(elements) => elements.iter().map(count_in_value).sum(),
        Bson::JavaScriptCodeWithScope(code) => count_fields(&code.scope),
        _ => 0,
    }
}

/// The error for a document that decoded to fewer fields than its bytes hold.
pub(super) fn error(raw: &RawDocument) -> DocumentError {
    match find(raw, false) {
        Some(name) => {
            DocumentError::invalid_bson(format!("the field name '{name}' occurs twice in one document"))
        }
        None => DocumentError::invalid_bson("a field name occurs twice in one document"),
    }
}

fn find(raw: &RawDocument, is_array: bool) -> Option<String> {
    let mut names = BTreeSet::new();
    for element in raw.iter() {
        let (name, value) = element.ok()?;
        if !is_array && !names.insert(name.as_str()) {
            return Some(name.as_str().to_owned());
        }
        let nested = match value {
            RawBsonRef::Document(document) => find(document, false),
            RawBsonRef::Array(array) => {
                RawDocument::from_bytes(array.as_bytes()).ok().and_then(|raw| find(raw, true))
            }
            RawBsonRef::JavaScriptCodeWithScope(code) => find(code.scope, false),
            _ => None,
        };
        if nested.is_some() {
            return nested;
        }
    }
    None
}
