//! From bytes that anybody may have sent to a document that may be stored.
//!
//! Invariants:
//! - No bytes make this code panic, recurse without bound, or hold more than a constant multiple of their length.
//! - A decoded document encodes to the bytes it came from, numbering of array elements and unset bits aside: what
//!   the `bson` crate would lose silently (a field name that occurs twice) is refused.

mod duplicates;
mod measure;
mod scan;
mod storable;

use bson::{Document, RawDocument};

pub(crate) use measure::measure;
pub(crate) use storable::check_storable;

use crate::{
    DocumentError,
    limits::{MAX_DOCUMENT_BYTES, MAX_NESTING},
};

/// Decodes `bytes`, one BSON document and nothing after it: for filters, updates and the like, which follow other rules
/// than what is stored.
///
/// # Errors
///
/// `BSONObjectTooLarge` past [`crate::MAX_DOCUMENT_BYTES`]; `Overflow` if nested deeper than [`crate::MAX_NESTING`];
/// `InvalidBSON` if the bytes are not well-formed or a document holds a field name twice.
pub fn decode_document(bytes: &[u8]) -> Result<Document, DocumentError> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::bson_object_too_large(format!(
            "the document has {} bytes; at most {MAX_DOCUMENT_BYTES} are allowed",
            bytes.len()
        )));
    }
    let fields = scan::scan(bytes, MAX_NESTING)?;
    let decoding = |_| DocumentError::invalid_bson("the bytes are not a BSON document");
    let raw = RawDocument::from_bytes(bytes).map_err(decoding)?;
    let document = Document::try_from(raw).map_err(decoding)?;
    if duplicates::count_fields(&document) != fields {
        return Err(duplicates::error(raw));
    }
    Ok(document)
}

/// Decodes `bytes` and checks that the document may be stored as it is.
///
/// A document without an `_id` passes: whoever takes it for insertion gives it one with [`crate::prepare_insert`].
///
/// # Errors
///
/// Those of [`decode_document`]; `DollarPrefixedFieldName` if a top-level field, or any field within `_id`, starts with
/// `$`; `InvalidIdField` if `_id` is an array, a regular expression or undefined.
pub fn validate_document(bytes: &[u8]) -> Result<Document, DocumentError> {
    let document = decode_document(bytes)?;
    storable::check_names_and_id(&document)?;
    Ok(document)
}

#[cfg(test)]
mod tests;
