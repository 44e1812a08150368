//! One table per operator: a document, an update, what comes of it.

use bson::{Bson, Document, doc, oid::ObjectId};
use rand::RngExt;

use super::{Update, Updated};
use crate::{
    Filter, MAX_ARRAY_PADDING, MAX_DOCUMENT_BYTES, MAX_NESTING,
    compare::identical_documents,
    error::{DocumentError, code},
    testing::{random_document, random_value, seeded},
};

fn apply(document: &Document, update: Document) -> Result<Updated, DocumentError> {
    Update::parse(&update)?.apply(document)
}

/// Checks the result of an update to the bit, order of fields included.
fn becomes(document: Document, update: Document, expected: Document) {
    match apply(&document, update.clone()) {
        Ok(Updated::Changed(updated)) => {
            assert!(
                identical_documents(&updated, &expected),
                "{update} made {document} {updated} and not {expected}"
            );
        }
        other => panic!("{update} on {document}: {other:?}"),
    }
}

fn unchanged(document: Document, update: Document) {
    assert_eq!(apply(&document, update.clone()), Ok(Updated::Unchanged), "{update} on {document}");
}

fn refused(document: Document, update: Document, code: i32) {
    let error = apply(&document, update.clone()).unwrap_err();
    assert_eq!(error.code, code, "{update} on {document}: {error}");
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().unwrap())
}

#[test]
fn set() {
    becomes(doc! {"_id": 1, "a": 1, "b": 2}, doc! {"$set": {"a": 5}}, doc! {"_id": 1, "a": 5, "b": 2});
    becomes(doc! {"_id": 1}, doc! {"$set": {"a": {"b": 1}}}, doc! {"_id": 1, "a": {"b": 1}});
    becomes(doc! {"_id": 1}, doc! {"$set": {"a.b.c": 1}}, doc! {"_id": 1, "a": {"b": {"c": 1}}});
    becomes(
        doc! {"_id": 1, "a": {"x": 1}},
        doc! {"$set": {"a.b": 1}},
        doc! {"_id": 1, "a": {"x": 1, "b": 1}},
    );
    becomes(doc! {"_id": 1, "a": 1}, doc! {"$set": {"a": 1.0}}, doc! {"_id": 1, "a": 1.0});
    becomes(doc! {"_id": 1, "a": 0.0}, doc! {"$set": {"a": -0.0}}, doc! {"_id": 1, "a": -0.0});
    becomes(
        doc! {"_id": 1, "a": {"x": 1, "y": 2}},
        doc! {"$set": {"a": {"y": 2, "x": 1}}},
        doc! {"_id": 1, "a": {"y": 2, "x": 1}},
    );
    unchanged(doc! {"_id": 1, "a": {"b": [1, f64::NAN]}}, doc! {"$set": {"a.b": [1, f64::NAN]}});
    unchanged(doc! {"_id": 1}, doc! {"$set": {}});
}

#[test]
fn added_fields_stand_in_the_order_of_their_paths() {
    becomes(
        doc! {"_id": 1},
        doc! {"$set": {"b": 1, "10": 1, "a": 1, "9": 1}, "$inc": {"aa": 1}},
        doc! {"_id": 1, "9": 1, "10": 1, "a": 1, "aa": 1, "b": 1},
    );
    becomes(doc! {"_id": 1}, doc! {"$set": {"a.z": 1, "a.b": 1}}, doc! {"_id": 1, "a": {"b": 1, "z": 1}});
}

#[test]
fn set_in_arrays() {
    becomes(doc! {"_id": 1, "a": [1, 2]}, doc! {"$set": {"a.1": 5}}, doc! {"_id": 1, "a": [1, 5]});
    becomes(
        doc! {"_id": 1, "a": [1]},
        doc! {"$set": {"a.3": 5}},
        doc! {"_id": 1, "a": [1, Bson::Null, Bson::Null, 5]},
    );
    becomes(doc! {"_id": 1, "a": [{"b": 1}]}, doc! {"$set": {"a.0.b": 2}}, doc! {"_id": 1, "a": [{"b": 2}]});
    becomes(
        doc! {"_id": 1, "a": []},
        doc! {"$set": {"a.1.b": 2}},
        doc! {"_id": 1, "a": [Bson::Null, {"b": 2}]},
    );
    // Without an array the index is a name.
    becomes(doc! {"_id": 1}, doc! {"$set": {"a.0": 2}}, doc! {"_id": 1, "a": {"0": 2}});
    becomes(
        doc! {"_id": 1, "a": [0]},
        doc! {"$set": {"a.2": 2, "a.10": 10, "a.1": 1}},
        doc! {"_id": 1, "a": [0, 1, 2, Bson::Null, Bson::Null, Bson::Null, Bson::Null, Bson::Null, Bson::Null, Bson::Null, 10]},
    );
    refused(doc! {"_id": 1, "a": [1]}, doc! {"$set": {"a.b": 5}}, code::PATH_NOT_VIABLE);
    refused(doc! {"_id": 1, "a": [1]}, doc! {"$set": {"a.01": 5}}, code::PATH_NOT_VIABLE);
    refused(doc! {"_id": 1, "a": [1]}, doc! {"$set": {"a.0.b": 5}}, code::PATH_NOT_VIABLE);
}

#[test]
fn padding_is_limited() {
    let document = doc! {"_id": 1, "a": [], "b": []};
    let past = (MAX_ARRAY_PADDING + 1).to_string();
    refused(document.clone(), doc! {"$set": {format!("a.{past}"): 1}}, code::CANNOT_BACKFILL_ARRAY);
    refused(document.clone(), doc! {"$set": {"a.99999999999999999999": 1}}, code::PATH_NOT_VIABLE);
    // The limit is that of the whole update.
    let half = (MAX_ARRAY_PADDING / 2 + 1).to_string();
    let both = doc! {format!("a.{half}"): 1, format!("b.{half}"): 1};
    refused(document.clone(), doc! {"$set": both}, code::CANNOT_BACKFILL_ARRAY);
    let Updated::Changed(updated) = apply(&document, doc! {"$set": {"a.1000": 1}}).unwrap() else {
        panic!("nothing was set")
    };
    assert_eq!(updated.get_array("a").unwrap().len(), 1001);
}

#[test]
fn unset() {
    becomes(
        doc! {"_id": 1, "a": 1, "b": 2, "c": 3},
        doc! {"$unset": {"b": ""}},
        doc! {"_id": 1, "a": 1, "c": 3},
    );
    becomes(doc! {"_id": 1, "a": {"b": 1}}, doc! {"$unset": {"a.b": 1}}, doc! {"_id": 1, "a": {}});
    becomes(doc! {"_id": 1, "a": [1, 2]}, doc! {"$unset": {"a.0": 1}}, doc! {"_id": 1, "a": [Bson::Null, 2]});
    unchanged(doc! {"_id": 1, "a": [Bson::Null]}, doc! {"$unset": {"a.0": 1}});
    unchanged(doc! {"_id": 1, "a": [1]}, doc! {"$unset": {"a.5": 1, "a.b": 1}});
    unchanged(doc! {"_id": 1, "a": 5}, doc! {"$unset": {"b": 1, "a.b": 1, "c.d": 1}});
}

#[test]
fn many_unsets_take_no_square_of_time() {
    let names = |of: usize| (0..of).map(|i| format!("f{i}"));
    let mut document = doc! {"_id": 1};
    document.extend(names(50_000).map(|name| (name, Bson::Null)));
    let unset: Document = names(49_999).map(|name| (name, Bson::Null)).collect();
    becomes(document, doc! {"$unset": unset}, doc! {"_id": 1, "f49999": Bson::Null});
}

#[test]
fn unset_next_to_others() {
    becomes(
        doc! {"_id": 1, "a": {"b": 1, "c": 2, "d": {"e": 3, "f": 4}}, "g": [1, {"h": 5}, [6]]},
        doc! {
            "$unset": {"a.b": 1, "a.d.e": 1, "g.0": 1, "g.1.h": 1, "g.2.0": 1, "g.9": 1},
            "$set": {"a.a": 7, "g.3": 8, "x": 9},
        },
        doc! {"_id": 1, "a": {"c": 2, "d": {"f": 4}, "a": 7}, "g": [Bson::Null, {}, [Bson::Null], 8], "x": 9},
    );
}

#[test]
fn increment() {
    becomes(doc! {"_id": 1, "a": 1}, doc! {"$inc": {"a": 2}}, doc! {"_id": 1, "a": 3});
    becomes(doc! {"_id": 1, "a": 1}, doc! {"$inc": {"a": -2i64}}, doc! {"_id": 1, "a": -1i64});
    becomes(doc! {"_id": 1, "a": 1}, doc! {"$inc": {"a": 0.5}}, doc! {"_id": 1, "a": 1.5});
    becomes(
        doc! {"_id": 1, "a": 1},
        doc! {"$inc": {"a": decimal("0.5")}},
        doc! {"_id": 1, "a": decimal("1.5")},
    );
    becomes(doc! {"_id": 1, "a": i32::MAX}, doc! {"$inc": {"a": 1}}, doc! {"_id": 1, "a": 2_147_483_648i64});
    becomes(doc! {"_id": 1}, doc! {"$inc": {"a.b": 2}}, doc! {"_id": 1, "a": {"b": 2}});
    becomes(doc! {"_id": 1, "a": [1, 2]}, doc! {"$inc": {"a.1": 2}}, doc! {"_id": 1, "a": [1, 4]});
    becomes(doc! {"_id": 1, "a": 0}, doc! {"$inc": {"a": 0i64}}, doc! {"_id": 1, "a": 0i64});
    unchanged(doc! {"_id": 1, "a": 1}, doc! {"$inc": {"a": 0}});
    refused(doc! {"_id": 1, "a": i64::MAX}, doc! {"$inc": {"a": 1}}, code::BAD_VALUE);
    refused(doc! {"_id": 1, "a": "x"}, doc! {"$inc": {"a": 1}}, code::TYPE_MISMATCH);
    refused(doc! {"_id": 1, "a": Bson::Null}, doc! {"$inc": {"a": 1}}, code::TYPE_MISMATCH);
    refused(doc! {"_id": 1}, doc! {"$inc": {"a": "x"}}, code::TYPE_MISMATCH);
    refused(doc! {"_id": 1, "a": [1]}, doc! {"$inc": {"a": 1}}, code::TYPE_MISMATCH);
}

#[test]
fn push() {
    becomes(doc! {"_id": 1, "a": [1]}, doc! {"$push": {"a": 2}}, doc! {"_id": 1, "a": [1, 2]});
    becomes(doc! {"_id": 1, "a": [1]}, doc! {"$push": {"a": [2, 3]}}, doc! {"_id": 1, "a": [1, [2, 3]]});
    becomes(doc! {"_id": 1, "a": [1]}, doc! {"$push": {"a": {"x": 1}}}, doc! {"_id": 1, "a": [1, {"x": 1}]});
    becomes(doc! {"_id": 1}, doc! {"$push": {"a.b": 2}}, doc! {"_id": 1, "a": {"b": [2]}});
    becomes(
        doc! {"_id": 1, "a": [1]},
        doc! {"$push": {"a": {"$each": [2, [3]]}}},
        doc! {"_id": 1, "a": [1, 2, [3]]},
    );
    becomes(doc! {"_id": 1}, doc! {"$push": {"a": {"$each": []}}}, doc! {"_id": 1, "a": []});
    becomes(doc! {"_id": 1, "a": [[1]]}, doc! {"$push": {"a.0": 2}}, doc! {"_id": 1, "a": [[1, 2]]});
    unchanged(doc! {"_id": 1, "a": [1]}, doc! {"$push": {"a": {"$each": []}}});
    refused(doc! {"_id": 1, "a": 1}, doc! {"$push": {"a": 2}}, code::BAD_VALUE);
    refused(doc! {"_id": 1, "a": {}}, doc! {"$push": {"a": {"$each": []}}}, code::BAD_VALUE);
    refused(doc! {"_id": 1}, doc! {"$push": {"a": {"$each": 2}}}, code::BAD_VALUE);
    refused(doc! {"_id": 1}, doc! {"$push": {"a": {"$each": [1], "$slice": 5}}}, code::BAD_VALUE);
    refused(doc! {"_id": 1}, doc! {"$push": {"a": {"$each": [1], "x": 5}}}, code::BAD_VALUE);
}

#[test]
fn paths_through_values_without_fields() {
    for update in [doc! {"$set": {"a.b": 1}}, doc! {"$inc": {"a.b.c": 1}}, doc! {"$push": {"a.b": 1}}] {
        for value in [Bson::Int32(5), Bson::Null, "x".into()] {
            refused(doc! {"_id": 1, "a": value}, update.clone(), code::PATH_NOT_VIABLE);
        }
    }
    let error = apply(&doc! {"_id": 1, "a": {"b": "secret"}}, doc! {"$set": {"a.b.c": 1}}).unwrap_err();
    assert_eq!(error.message, "Cannot create field 'c' in element 'b' of type string");
}

#[test]
fn an_error_leaves_no_trace() {
    let document = doc! {"_id": 1, "a": 1, "b": "x"};
    refused(document.clone(), doc! {"$inc": {"a": 1, "b": 1}}, code::TYPE_MISMATCH);
    assert!(identical_documents(&document, &doc! {"_id": 1, "a": 1, "b": "x"}));
}

#[test]
fn ids_do_not_change() {
    refused(doc! {"_id": 1}, doc! {"$set": {"_id": 2}}, code::IMMUTABLE_FIELD);
    refused(doc! {"_id": 1}, doc! {"$inc": {"_id": 1}}, code::IMMUTABLE_FIELD);
    refused(doc! {"_id": 1}, doc! {"$unset": {"_id": 1}}, code::IMMUTABLE_FIELD);
    refused(doc! {"_id": {"a": 1}}, doc! {"$set": {"_id.a": 2}}, code::IMMUTABLE_FIELD);
    refused(doc! {"_id": {"a": 1}}, doc! {"$unset": {"_id.a": 2}}, code::IMMUTABLE_FIELD);
    refused(doc! {"_id": 1}, doc! {"_id": 2, "a": 1}, code::IMMUTABLE_FIELD);
    unchanged(doc! {"_id": {"a": 1}}, doc! {"$set": {"_id.a": 1}});
    becomes(doc! {"_id": 1}, doc! {"$set": {"_id": 1, "a": 2}}, doc! {"_id": 1, "a": 2});
}

#[test]
fn replacement() {
    becomes(doc! {"_id": 1, "a": 1}, doc! {"b": 2}, doc! {"_id": 1, "b": 2});
    becomes(doc! {"_id": 1, "a": 1}, doc! {}, doc! {"_id": 1});
    becomes(doc! {"_id": 1, "a": 1}, doc! {"b": 2, "_id": 1}, doc! {"_id": 1, "b": 2});
    becomes(doc! {"_id": 1, "a": 1, "b": 2}, doc! {"b": 2, "a": 1}, doc! {"_id": 1, "b": 2, "a": 1});
    unchanged(doc! {"_id": 1, "a": 1}, doc! {"a": 1});
    refused(doc! {"_id": 1}, doc! {"a": 1, "$b": 1}, code::DOLLAR_PREFIXED_FIELD_NAME);
    assert!(Update::parse(&doc! {"a": 1}).unwrap().is_replacement());
    assert!(Update::parse(&doc! {}).unwrap().is_replacement());
    assert!(!Update::parse(&doc! {"$set": {}}).unwrap().is_replacement());
    let multi = |update| Update::parse(&update).unwrap().check_multi().err().map(|error| error.code);
    assert_eq!(multi(doc! {"a": 1}), Some(code::FAILED_TO_PARSE));
    assert_eq!(multi(doc! {"$set": {"a": 1}}), None);
}

#[test]
fn what_cannot_be_parsed() {
    for (update, expected) in [
        (doc! {"$foo": {"a": 1}}, code::FAILED_TO_PARSE),
        (doc! {"$rename": {"a": "b"}}, code::FAILED_TO_PARSE),
        (doc! {"$set": {"a": 1}, "b": 1}, code::FAILED_TO_PARSE),
        (doc! {"$set": 1}, code::FAILED_TO_PARSE),
        (doc! {"$set": [1]}, code::FAILED_TO_PARSE),
        (doc! {"$set": {"": 1}}, code::EMPTY_FIELD_NAME),
        (doc! {"$set": {"a..b": 1}}, code::EMPTY_FIELD_NAME),
        (doc! {"$set": {"a.": 1}}, code::EMPTY_FIELD_NAME),
        (doc! {"$set": {".a": 1}}, code::EMPTY_FIELD_NAME),
        (doc! {"$set": {"$a": 1}}, code::DOLLAR_PREFIXED_FIELD_NAME),
        (doc! {"$set": {"a.$b": 1}}, code::DOLLAR_PREFIXED_FIELD_NAME),
        (doc! {"$set": {"a.$": 1}}, code::BAD_VALUE),
        (doc! {"$inc": {"a.$[].b": 1}}, code::BAD_VALUE),
        (doc! {"$set": {"a": 1}, "$inc": {"a": 1}}, code::CONFLICTING_UPDATE_OPERATORS),
        (doc! {"$set": {"a": 1, "a.b": 1}}, code::CONFLICTING_UPDATE_OPERATORS),
        (
            doc! {"$set": {"a.b.c": 1, "a-": 1, "a.a": 1}, "$unset": {"a.b": 1}},
            code::CONFLICTING_UPDATE_OPERATORS,
        ),
        (doc! {"$set": {"a.".repeat(MAX_NESTING) + "a": 1}}, code::OVERFLOW),
    ] {
        let error = Update::parse(&update).map(|_| ()).unwrap_err();
        assert_eq!(error.code, expected, "{update}");
    }
    assert!(Update::parse(&doc! {"$set": {"a.b": 1, "a.c": 1, "ab": 1, "a-": 1}}).is_ok());
    let error = Update::parse(&doc! {"$set": {"a.b": 1}, "$inc": {"a": 1}}).unwrap_err();
    assert_eq!(error.message, "Updating the path 'a.b' would create a conflict at 'a'");
}

#[test]
fn results_are_within_the_limits() {
    let large = "x".repeat(MAX_DOCUMENT_BYTES / 2);
    let document = doc! {"_id": 1, "a": large.clone()};
    refused(document, doc! {"$set": {"b": large}}, code::UPDATED_TOO_LARGE);
    let nest = |levels| (1..levels).fold(doc! {}, |inner, _| doc! {"a": inner});
    let deep = doc! {"_id": 1, "a": nest(MAX_NESTING - 1)};
    let path = "a.".repeat(MAX_NESTING - 1);
    refused(deep.clone(), doc! {"$set": {format!("{path}b"): {}}}, code::OVERFLOW);
    assert!(matches!(apply(&deep, doc! {"$set": {format!("{path}b"): 1}}), Ok(Updated::Changed(_))));
}

#[test]
fn upserts() {
    let generated = ObjectId::from_bytes([9; 12]);
    let upsert = |filter: Document, update: Document| {
        Update::parse(&update).unwrap().upsert(&Filter::parse(&filter).unwrap(), generated)
    };
    for (filter, update, expected) in [
        (doc! {"a": 1}, doc! {"$set": {"b": 2}}, doc! {"_id": generated, "a": 1, "b": 2}),
        (doc! {"_id": 5, "a": 1}, doc! {"$set": {"b": 2}}, doc! {"_id": 5, "a": 1, "b": 2}),
        (doc! {"a": 1, "_id": 5}, doc! {"$inc": {"a": 2}}, doc! {"_id": 5, "a": 3}),
        (doc! {"a": {"$gt": 1}, "b": {"$in": [1]}}, doc! {"$set": {"c": 2}}, doc! {"_id": generated, "c": 2}),
        (
            doc! {"a.b": 1, "$and": [{"a.c": {"$eq": 2}}]},
            doc! {"$set": {}},
            doc! {"_id": generated, "a": {"b": 1, "c": 2}},
        ),
        (doc! {"z": 1, "y": 1}, doc! {"$push": {"a": 1}}, doc! {"_id": generated, "z": 1, "y": 1, "a": [1]}),
        (doc! {"a": 1}, doc! {"$set": {"_id": 7}}, doc! {"_id": 7, "a": 1}),
        (doc! {"_id": 7}, doc! {"$set": {"_id": 7.0}}, doc! {"_id": 7.0}),
        (doc! {"_id.a": 7}, doc! {"$set": {"b": 1}}, doc! {"_id": {"a": 7}, "b": 1}),
        (doc! {"a": 1}, doc! {"$unset": {"a": 1, "b": 1}}, doc! {"_id": generated}),
        (doc! {"a": 1}, doc! {"b": 2}, doc! {"_id": generated, "b": 2}),
        (doc! {"a": 1, "_id": 5}, doc! {"b": 2}, doc! {"_id": 5, "b": 2}),
        (doc! {"a": 1}, doc! {"b": 2, "_id": 6}, doc! {"_id": 6, "b": 2}),
        (doc! {"_id": 6}, doc! {"b": 2, "_id": 6}, doc! {"_id": 6, "b": 2}),
        (doc! {"_id": {"$gt": 6}}, doc! {}, doc! {"_id": generated}),
    ] {
        let document = upsert(filter.clone(), update.clone()).unwrap();
        assert!(identical_documents(&document, &expected), "{filter} and {update} made {document}");
    }
    for (filter, update, expected) in [
        (doc! {"_id": 5}, doc! {"$set": {"_id": 6}}, code::IMMUTABLE_FIELD),
        (doc! {"_id": 5}, doc! {"_id": 6}, code::IMMUTABLE_FIELD),
        (doc! {"_id.a": 5}, doc! {"b": 6}, code::NOT_EXACT_VALUE_FIELD),
        (doc! {"a": 1, "a.b": 1}, doc! {"$set": {"c": 6}}, code::NOT_SINGLE_VALUE_FIELD),
        (doc! {"_id": [1]}, doc! {"$set": {"c": 6}}, code::INVALID_ID_FIELD),
        (doc! {"a": 1}, doc! {"$set": {"_id": [1]}}, code::INVALID_ID_FIELD),
        (doc! {"a": 1}, doc! {"$set": {"a.b": 1}}, code::PATH_NOT_VIABLE),
        (doc! {"a": "x"}, doc! {"$inc": {"a": 1}}, code::TYPE_MISMATCH),
        (doc! {"a..b": 1}, doc! {"$set": {"c": 6}}, code::EMPTY_FIELD_NAME),
    ] {
        assert_eq!(
            upsert(filter.clone(), update.clone()).unwrap_err().code,
            expected,
            "{filter} and {update}"
        );
    }
}

/// Whatever is updated: no panic, `_id` as it was, and an update applied twice sets nothing new the second time.
#[test]
fn random_sets() {
    let mut random = seeded();
    let mut changed = 0;
    for _ in 0..20_000 {
        let mut document = doc! {"_id": 1};
        document.extend(random_document(&mut random, 3));
        let names = ["a", "b", "0", "1"];
        let path: Vec<&str> =
            (0..random.random_range(1..4)).map(|_| names[random.random_range(0..4)]).collect();
        let operator = if random.random() { "$set" } else { "$unset" };
        let update = doc! {operator: {path.join("."): random_value(&mut random, 1)}};
        let update = Update::parse(&update).unwrap();
        match update.apply(&document) {
            Ok(Updated::Changed(updated)) => {
                changed += 1;
                assert!(!identical_documents(&document, &updated));
                assert_eq!(updated.iter().next(), Some((&"_id".to_owned(), &Bson::Int32(1))));
                assert_eq!(update.apply(&updated), Ok(Updated::Unchanged), "{document}");
            }
            Ok(Updated::Unchanged) => {}
            Err(error) => assert_eq!(error.code, code::PATH_NOT_VIABLE, "{document}"),
        }
    }
    assert!(changed > 1_000, "{changed} changes test little");
}
