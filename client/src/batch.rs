//! Documents as they travel: with an `_id`, encoded, in batches that a member accepts.
//!
//! Invariant: an `_id` is made once, before the first try, so that every try inserts the same document.

use bson::oid::ObjectId;
use bson::{Bson, Document};
use bytes::Bytes;

use crate::{Error, Result};

/// Largest document, encoded: 16 MiB, as MongoDB has it.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of documents in one batch, as the service accepts them.
pub const MAX_BATCH_BYTES: usize = 48_000_000;
/// Most documents in one batch, as the service accepts them.
pub const MAX_BATCH_DOCUMENTS: usize = 100_000;

/// A document ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) id: Bson,
    pub(crate) bytes: Bytes,
}

/// Encodes `document`, the one at `position` of its call, with `_id` as its first field.
///
/// # Errors
/// [`Error::Invalid`] where it is too large or cannot be encoded.
pub(crate) fn encode_with_id(mut document: Document, position: usize) -> Result<Encoded> {
    let id = document.get("_id").cloned().unwrap_or_else(|| ObjectId::new().into());
    if document.keys().next().is_none_or(|first| first != "_id") {
        document.remove("_id");
        let mut with_id = Document::new();
        with_id.insert("_id", id.clone());
        with_id.extend(document);
        document = with_id;
    }
    let bytes = document.to_vec().map_err(|error| {
        Error::Invalid(format!("document {position} of the call cannot be encoded as BSON: {error}"))
    })?;
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(Error::Invalid(format!(
            "document {position} of the call has {} bytes; the largest allowed has {MAX_DOCUMENT_BYTES}",
            bytes.len()
        )));
    }
    Ok(Encoded { id, bytes: bytes.into() })
}

/// Encodes a filter, an update, a sort or a projection.
pub(crate) fn encode(what: &str, document: &Document) -> Result<Bytes> {
    let bytes = document
        .to_vec()
        .map_err(|error| Error::Invalid(format!("the {what} cannot be encoded as BSON: {error}")))?;
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(Error::Invalid(format!(
            "the {what} has {} bytes; the largest allowed has {MAX_DOCUMENT_BYTES}",
            bytes.len()
        )));
    }
    Ok(bytes.into())
}

/// How many of `documents`, from the start, fit into one batch: at least one, if there is one.
pub(crate) fn batch_length(documents: &[Encoded], max_bytes: usize, max_documents: usize) -> usize {
    let mut bytes = 0;
    documents
        .iter()
        .take(max_documents)
        .take_while(|document| {
            bytes += document.bytes.len();
            bytes <= max_bytes
        })
        .count()
        .max(documents.len().min(1))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn sized(sizes: &[usize]) -> Vec<Encoded> {
        sizes.iter().map(|size| Encoded { id: Bson::Null, bytes: vec![0; *size].into() }).collect()
    }

    #[test]
    fn an_id_is_made_where_there_is_none_and_comes_first() {
        let made = encode_with_id(doc! { "a": 1 }, 0).unwrap();
        let back = Document::from_reader(&*made.bytes).unwrap();
        assert_eq!(back.keys().collect::<Vec<_>>(), ["_id", "a"]);
        assert_eq!(back.get("_id"), Some(&made.id));
        assert!(matches!(made.id, Bson::ObjectId(_)));

        let moved = encode_with_id(doc! { "a": 1, "_id": "x", "b": 2 }, 0).unwrap();
        let back = Document::from_reader(&*moved.bytes).unwrap();
        assert_eq!(back.keys().collect::<Vec<_>>(), ["_id", "a", "b"]);
        assert_eq!(moved.id, Bson::from("x"));
    }

    #[test]
    fn a_document_that_is_too_large_is_named() {
        let error = encode_with_id(doc! { "a": "x".repeat(MAX_DOCUMENT_BYTES) }, 7).unwrap_err();
        assert!(error.to_string().contains("document 7"), "{error}");
    }

    #[test]
    fn batches_keep_both_limits() {
        assert_eq!(batch_length(&sized(&[]), 10, 10), 0);
        assert_eq!(batch_length(&sized(&[4, 4, 2, 1]), 10, 10), 3);
        assert_eq!(batch_length(&sized(&[1, 1, 1]), 10, 2), 2);
        assert_eq!(batch_length(&sized(&[11, 1]), 10, 10), 1);
    }
}
