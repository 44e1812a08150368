//! Requests that make no sense: every parser says so or gives something that can be evaluated; nothing panics.

use bson::{Bson, Document, doc, oid::ObjectId};
use rand::{RngExt, seq::IndexedRandom};

use super::{random_document, random_value, seeded};
use crate::{Filter, Projection, Sort, Update, Updated, decode_document, encode_key, validate_document};

/// Names that mean something to one of the parsers, and paths that come close to it.
const NAMES: &[&str] = &[
    "$set", "$unset", "$inc", "$push", "$each", "$and", "$or", "$nor", "$not", "$eq", "$gt", "$in",
    "$exists", "$foo", "$", "a", "a.b", "a.0", "a.0.b", "a..b", ".", "", "_id", "_id.a", "a.$", "b",
    "99999999", "\u{0}",
];

fn random_request(random: &mut impl RngExt, depth: usize) -> Document {
    let mut request = Document::new();
    for _ in 0..random.random_range(1..4) {
        let value = match random.random_range(0..if depth == 0 { 2 } else { 5 }) {
            0 => random_value(random, 1),
            1 => Bson::Int32(random.random_range(-1..3)),
            2 => Bson::Array(
                (0..random.random_range(0..3)).map(|_| random_request(random, depth - 1).into()).collect(),
            ),
            _ => Bson::Document(random_request(random, depth - 1)),
        };
        request.insert(*NAMES.choose(random).unwrap(), value);
    }
    request
}

#[test]
fn no_request_panics() {
    let mut random = seeded();
    let id = ObjectId::from_bytes([1; 12]);
    let mut accepted = [0; 4];
    for _ in 0..50_000 {
        let request = random_request(&mut random, 3);
        let mut document = doc! {"_id": random_value(&mut random, 1)};
        document.extend(random_document(&mut random, 2));
        let filter = Filter::parse(&request);
        if let Ok(filter) = &filter {
            accepted[0] += 1;
            let range = filter.id_range();
            if filter.matches(&document) && !matches!(document.get("_id"), Some(Bson::Array(_))) {
                assert!(range.contains(&encode_key(document.get("_id").unwrap()).unwrap()), "{request}");
            }
            let _ = filter.equality_fields();
            if let Ok(document) = Update::parse(&doc! {"$inc": {"x.y": 1}}).unwrap().upsert(filter, id)
                && let Ok(bytes) = document.to_vec()
            {
                validate_document(&bytes).unwrap();
            }
        }
        if let Ok(update) = Update::parse(&request) {
            accepted[1] += 1;
            if let Ok(Updated::Changed(updated)) = update.apply(&document)
                && let Ok(bytes) = updated.to_vec()
            {
                decode_document(&bytes).unwrap();
            }
        }
        if let Ok(projection) = Projection::parse(&request) {
            accepted[2] += 1;
            let shown = projection.apply(&document);
            assert!(shown.len() <= document.len(), "{request}");
        }
        if let Ok(sort) = Sort::parse(&request) {
            accepted[3] += 1;
            assert!(sort.compare(&document, &document).is_eq(), "{request}");
        }
    }
    assert!(accepted.iter().all(|count| *count > 50), "hardly anything was accepted: {accepted:?}");
}
