//! Ids that are the same each time a file is imported.
//!
//! Invariant: a document's id depends on its content and its position in the file, and on nothing else.

use bson::oid::ObjectId;
use bson::{Bson, Document};
use sha2::{Digest, Sha256};

/// Divides these hashes from all others.
const DOMAIN: &[u8] = b"coffer import id v1";

/// Gives `document`, the one at `position` of its file counted from 0, an `_id` as its first field: its own, else the
/// value of `id_field`, else one that is derived.
///
/// # Errors
/// Says why the value of `id_field` cannot be an id.
pub fn with_id(mut document: Document, position: u64, id_field: Option<&str>) -> Result<Document, String> {
    let id = match (document.remove("_id"), id_field) {
        (Some(id), _) => id,
        (None, Some(field)) => match lookup(&document, field) {
            None => return Err(format!("it has no field `{field}` to take its _id from")),
            Some(Bson::Array(_) | Bson::RegularExpression(_) | Bson::Undefined | Bson::Null) => {
                return Err(format!("the value of `{field}` cannot be an _id"));
            }
            Some(value) => value.clone(),
        },
        (None, None) => derived(&document, position)?.into(),
    };
    let mut with_id = Document::new();
    with_id.insert("_id", id);
    with_id.extend(document);
    Ok(with_id)
}

fn lookup<'d>(document: &'d Document, path: &str) -> Option<&'d Bson> {
    match path.split_once('.') {
        None => document.get(path),
        Some((first, rest)) => lookup(document.get_document(first).ok()?, rest),
    }
}

/// Four bytes of the position, so that documents keep the order of the file, and eight of a hash of both.
fn derived(document: &Document, position: u64) -> Result<ObjectId, String> {
    let bytes = document.to_vec().map_err(|error| format!("it cannot be encoded as BSON: {error}"))?;
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(position.to_be_bytes());
    hash.update(bytes);
    let hash = hash.finalize();
    let mut id = [0; 12];
    // A file of more than 2^32 documents loses the order, not the ids.
    id[..4].copy_from_slice(&position.to_be_bytes()[4..]);
    id[4..].copy_from_slice(&hash[..8]);
    Ok(ObjectId::from_bytes(id))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn a_document_keeps_its_own_id_and_it_comes_first() {
        let document = with_id(doc! { "a": 1, "_id": 7 }, 0, Some("a")).unwrap();
        assert_eq!(document.to_vec().unwrap(), doc! { "_id": 7, "a": 1 }.to_vec().unwrap());
    }

    #[test]
    fn a_field_can_give_the_id() {
        let document = with_id(doc! { "a": { "b": "x" } }, 0, Some("a.b")).unwrap();
        assert_eq!(document, doc! { "_id": "x", "a": { "b": "x" } });
        for wrong in
            [doc! { "b": 1 }, doc! { "a": 1 }, doc! { "a": { "b": [] } }, doc! { "a": { "b": Bson::Null } }]
        {
            assert!(with_id(wrong, 0, Some("a.b")).is_err());
        }
    }

    #[test]
    fn a_derived_id_follows_from_position_and_content_alone() {
        let id =
            |document, position| with_id(document, position, None).unwrap().get_object_id("_id").unwrap();
        let first = id(doc! { "a": 1 }, 0);
        // Written down, so that a later version imports the same file without duplicates.
        assert_eq!(first.to_hex(), "0000000001e827caa2587441");
        assert_eq!(first, id(doc! { "a": 1 }, 0));
        assert_ne!(first, id(doc! { "a": 1 }, 1));
        assert_ne!(first, id(doc! { "a": 2 }, 0));
        assert!(first < id(doc! { "a": 1 }, 1));
    }
}
