//! The form in which a document is stored: `_id` is there, and first.

use bson::{Bson, Document, oid::ObjectId};

/// `document` as it is stored: `_id` moved to the front, or `generated_id` put there if it has none. The leader makes
/// the id, before the command is replicated, so that all members store the same.
///
/// A generated id makes the document 17 bytes longer. One that thereby passes [`crate::MAX_DOCUMENT_BYTES`] is refused
/// where it is applied, by [`crate::decode_document`].
pub fn prepare_insert(mut document: Document, generated_id: ObjectId) -> Document {
    if document.keys().next().is_some_and(|name| name == "_id") {
        return document;
    }
    let id = document.remove("_id").unwrap_or(Bson::ObjectId(generated_id));
    with_id_first(id, document)
}

/// `id` followed by the fields of `rest`, which must have no `_id`.
pub(crate) fn with_id_first(id: Bson, rest: Document) -> Document {
    let mut document = Document::new();
    document.insert("_id", id);
    document.extend(rest);
    document
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;
    use crate::compare::identical_documents;

    #[test]
    fn the_id_is_there_and_first() {
        let generated = ObjectId::from_bytes([7; 12]);
        for (given, expected) in [
            (doc! {"a": 1}, doc! {"_id": generated, "a": 1}),
            (doc! {"a": 1, "_id": 5, "b": 2}, doc! {"_id": 5, "a": 1, "b": 2}),
            (doc! {"_id": Bson::Null, "a": 1}, doc! {"_id": Bson::Null, "a": 1}),
            (doc! {}, doc! {"_id": generated}),
        ] {
            assert!(identical_documents(&prepare_insert(given, generated), &expected));
        }
    }
}
