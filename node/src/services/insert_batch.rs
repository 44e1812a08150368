//! The documents of an insert: checked, completed, and split into entries.

use bson::{Bson, Document, doc};
use bytes::Bytes;
use coffer_document::{
    DocumentError, MAX_BATCH_BYTES, MAX_BATCH_DOCUMENTS, prepare_insert, validate_document,
};
use coffer_proto::wire::ENTRY_TARGET_BYTES;

use super::{object_id::IdSource, refusal::Refusal};

/// What protobuf adds to a document in a list: its tag and length.
const FRAME_BYTES: usize = 6;

/// The documents of an insert as they are stored.
#[derive(Debug, Default, PartialEq)]
pub struct InsertBatch {
    /// Each with its `_id` first.
    pub documents: Vec<Bytes>,
    /// `{_id: ...}` of each.
    pub ids: Vec<Bytes>,
}

impl InsertBatch {
    /// Checks all documents and gives `_id`s to those that have none.
    ///
    /// # Errors
    /// There are none, or too many, or one of them may not be stored: the error says which.
    pub fn prepare(documents: Vec<Bytes>, ids: &IdSource) -> Result<Self, Refusal> {
        if documents.is_empty() {
            return Err(Refusal::argument("an insert has to have at least one document"));
        }
        if documents.len() > MAX_BATCH_DOCUMENTS {
            return Err(Refusal::argument(format!(
                "the insert has {} documents; at most {MAX_BATCH_DOCUMENTS} are allowed in one call",
                documents.len()
            )));
        }
        let bytes: usize = documents.iter().map(Bytes::len).sum();
        if bytes > MAX_BATCH_BYTES {
            return Err(Refusal::argument(format!(
                "the documents have {bytes} bytes together; at most {MAX_BATCH_BYTES} are allowed in one call"
            )));
        }
        let mut batch = Self::default();
        for (position, bytes) in documents.into_iter().enumerate() {
            let (stored, id) = prepare_one(bytes, position, ids)
                .map_err(|error| Refusal::from(error).within(format_args!("document {position}")))?;
            batch.documents.push(stored);
            batch.ids.push(id);
        }
        Ok(batch)
    }

    /// Splits the documents into runs of about [`ENTRY_TARGET_BYTES`]; a larger document is a run of its own. The same
    /// documents are always split in the same way, so that a retry meets the record of its first try.
    pub fn split(&self) -> Vec<std::ops::Range<usize>> {
        let mut runs = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (position, document) in self.documents.iter().enumerate() {
            let size = document.len() + FRAME_BYTES;
            if position > start && bytes + size > ENTRY_TARGET_BYTES {
                runs.push(start..position);
                (start, bytes) = (position, 0);
            }
            bytes += size;
        }
        if start < self.documents.len() {
            runs.push(start..self.documents.len());
        }
        runs
    }
}

fn prepare_one(bytes: Bytes, position: usize, ids: &IdSource) -> Result<(Bytes, Bytes), DocumentError> {
    let document = validate_document(&bytes)?;
    let first_is_id = document.keys().next().is_some_and(|name| name == "_id");
    let (stored, id) = if first_is_id {
        let id = document.get("_id").cloned().unwrap_or(Bson::Null);
        (bytes, id)
    } else {
        let document = prepare_insert(document, ids.id(position));
        let id = document.get("_id").cloned().unwrap_or(Bson::Null);
        (encode(&document)?, id)
    };
    Ok((stored, encode(&doc! { "_id": id })?))
}

fn encode(document: &Document) -> Result<Bytes, DocumentError> {
    let bytes = document
        .to_vec()
        .map_err(|_| DocumentError::invalid_bson("the document cannot be written as BSON"))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bson(document: Document) -> Bytes {
        encode(&document).unwrap()
    }

    fn prepare(documents: Vec<Bytes>) -> Result<InsertBatch, Refusal> {
        InsertBatch::prepare(documents, &IdSource::Fresh)
    }

    #[test]
    fn ids_are_made_moved_and_told() {
        let batch = prepare(vec![
            bson(doc! { "_id": 1, "a": 1 }),
            bson(doc! { "a": 1, "_id": "x" }),
            bson(doc! { "a": 1 }),
        ])
        .unwrap();
        assert_eq!(batch.documents[0], bson(doc! { "_id": 1, "a": 1 }));
        assert_eq!(batch.documents[1], bson(doc! { "_id": "x", "a": 1 }));
        assert_eq!(batch.ids[0], bson(doc! { "_id": 1 }));
        let generated = Document::from_reader(&batch.documents[2][..]).unwrap();
        assert!(generated.get_object_id("_id").is_ok());
        assert_eq!(batch.ids[2], bson(doc! { "_id": generated.get("_id").unwrap() }));
    }

    #[test]
    fn a_bad_document_is_named_by_its_position() {
        let refusal = prepare(vec![bson(doc! { "a": 1 }), Bytes::from_static(b"junk")]).unwrap_err();
        assert!(refusal.message.starts_with("document 1: "), "{}", refusal.message);
        assert!(prepare(vec![]).is_err());
        let many = vec![bson(doc! {}); MAX_BATCH_DOCUMENTS + 1];
        assert!(prepare(many).unwrap_err().message.contains("100000"));
    }

    #[test]
    fn entries_are_near_their_target_and_hold_every_document_once() {
        let sizes = [
            100,
            ENTRY_TARGET_BYTES,
            50,
            50,
            ENTRY_TARGET_BYTES / 2,
            ENTRY_TARGET_BYTES / 2,
            3 * ENTRY_TARGET_BYTES,
            1,
        ];
        let documents: Vec<Bytes> = sizes.iter().map(|size| vec![0; *size].into()).collect();
        let batch = InsertBatch { documents, ids: Vec::new() };
        let runs = batch.split();
        assert_eq!(runs, [0..1, 1..2, 2..5, 5..6, 6..7, 7..8]);
        for run in &runs {
            let bytes: usize = sizes[run.clone()].iter().map(|size| size + FRAME_BYTES).sum();
            assert!(bytes <= ENTRY_TARGET_BYTES || run.len() == 1);
        }
        assert!(InsertBatch::default().split().is_empty());
    }
}
