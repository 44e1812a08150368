use bson::{Bson, Document, doc};

use super::Projection;
use crate::{MAX_NESTING, compare::identical_documents, error::code};

fn shows(projection: Document, document: Document, expected: Document) {
    let shown = Projection::parse(&projection).unwrap().apply(&document);
    assert!(
        identical_documents(&shown, &expected),
        "{projection} of {document} shows {shown} and not {expected}"
    );
}

#[test]
fn everything() {
    let document = doc! {"b": 1, "_id": 1};
    shows(doc! {}, document.clone(), document.clone());
    shows(doc! {"c": 0}, document.clone(), document);
}

#[test]
fn inclusion() {
    let document = doc! {"_id": 1, "a": 2, "b": {"c": 3, "d": 4}, "e": 5};
    shows(doc! {"e": 1, "a": 1}, document.clone(), doc! {"_id": 1, "a": 2, "e": 5});
    shows(doc! {"a": true}, document.clone(), doc! {"_id": 1, "a": 2});
    shows(doc! {"a": 0.5, "_id": false}, document.clone(), doc! {"a": 2});
    shows(doc! {"a": 5i64, "_id": 1}, document.clone(), doc! {"_id": 1, "a": 2});
    shows(doc! {"_id": 1}, document.clone(), doc! {"_id": 1});
    shows(doc! {"b.c": 1}, document.clone(), doc! {"_id": 1, "b": {"c": 3}});
    shows(doc! {"b": {"c": 1}, "a": 1}, document.clone(), doc! {"_id": 1, "a": 2, "b": {"c": 3}});
    shows(doc! {"b.x": 1}, document.clone(), doc! {"_id": 1, "b": {}});
    shows(doc! {"a.x": 1, "nope": 1}, document.clone(), doc! {"_id": 1});
    shows(doc! {"_id.x": 1}, doc! {"_id": {"x": 1, "y": 2}, "a": 1}, doc! {"_id": {"x": 1}});
}

#[test]
fn exclusion() {
    let document = doc! {"_id": 1, "a": 2, "b": {"c": 3, "d": 4}};
    shows(doc! {"a": 0}, document.clone(), doc! {"_id": 1, "b": {"c": 3, "d": 4}});
    shows(doc! {"_id": 0}, document.clone(), doc! {"a": 2, "b": {"c": 3, "d": 4}});
    shows(doc! {"_id": 0, "a": false}, document.clone(), doc! {"b": {"c": 3, "d": 4}});
    shows(doc! {"_id": 1, "a": 0}, document.clone(), doc! {"_id": 1, "b": {"c": 3, "d": 4}});
    shows(doc! {"b.c": 0, "a.x": 0}, document.clone(), doc! {"_id": 1, "a": 2, "b": {"d": 4}});
    shows(doc! {"b": {"c": 0, "d": 0}}, document, doc! {"_id": 1, "a": 2, "b": {}});
}

#[test]
fn arrays() {
    let document = doc! {"a": [{"b": 1, "c": 2}, 3, [{"b": 4, "c": 5}, 6], {"c": 7}, []]};
    shows(doc! {"a.b": 1}, document.clone(), doc! {"a": [{"b": 1}, [{"b": 4}], {}, []]});
    shows(doc! {"a.b": 0}, document.clone(), doc! {"a": [{"c": 2}, 3, [{"c": 5}, 6], {"c": 7}, []]});
    // An index is a name here, as in MongoDB.
    shows(doc! {"a.0": 1}, document, doc! {"a": [{}, [{}], {}, []]});
}

#[test]
fn what_cannot_be_parsed() {
    for (projection, expected) in [
        (doc! {"a": 1, "b": 0}, code::EXCLUSION_IN_INCLUSION),
        (doc! {"_id": 1, "a": 1, "b": 0}, code::EXCLUSION_IN_INCLUSION),
        (doc! {"a": 0, "b": 1}, code::INCLUSION_IN_EXCLUSION),
        (doc! {"_id": 0, "a": 0, "b": {"c": 1}}, code::INCLUSION_IN_EXCLUSION),
        (doc! {"a": 1, "a.b": 1}, code::PROJECTION_COLLISION),
        (doc! {"a.b": 1, "a": 1}, code::PROJECTION_COLLISION),
        (doc! {"a.b": 1, "a": {"b": 1}}, code::PROJECTION_COLLISION),
        (doc! {"_id": 1, "_id.a": 1}, code::PROJECTION_COLLISION),
        (doc! {"": 1}, code::PATH_EMPTY_COMPONENT),
        (doc! {"a.": 1}, code::PATH_EMPTY_COMPONENT),
        (doc! {"a..b": 0}, code::PATH_EMPTY_COMPONENT),
        (doc! {"a": {"": 1}}, code::PATH_EMPTY_COMPONENT),
        (doc! {"$a": 1}, code::PATH_DOLLAR_COMPONENT),
        (doc! {"a.$": 1}, code::PATH_DOLLAR_COMPONENT),
        (doc! {"a": {}}, code::PROJECTION_EMPTY),
        (doc! {"a": "x"}, code::BAD_VALUE),
        (doc! {"a": Bson::Null}, code::BAD_VALUE),
        (doc! {"a": {"$slice": 1}}, code::BAD_VALUE),
        (doc! {"a": {"$elemMatch": {"b": 1}}}, code::BAD_VALUE),
        (doc! {"a.".repeat(MAX_NESTING) + "a": 1}, code::OVERFLOW),
    ] {
        let error = Projection::parse(&projection).map(|_| ()).unwrap_err();
        assert_eq!(error.code, expected, "{projection}: {error}");
    }
}
