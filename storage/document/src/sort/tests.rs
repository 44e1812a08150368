use std::cmp::Ordering;

use bson::{Bson, Document, doc};

use super::Sort;
use crate::{
    MAX_SORT_FIELDS,
    error::code,
    testing::{random_document, seeded},
};

/// Checks that the documents are in ascending order, each below the next, and keys as well.
fn ascending(sort: Document, documents: &[Document]) {
    let parsed = Sort::parse(&sort).unwrap();
    for (i, a) in documents.iter().enumerate() {
        for (j, b) in documents.iter().enumerate() {
            assert_eq!(parsed.compare(a, b), i.cmp(&j), "{sort}: {a} and {b}");
            assert_eq!(parsed.key(a).cmp(&parsed.key(b)), i.cmp(&j), "{sort}: keys of {a} and {b}");
        }
    }
}

fn equal(sort: Document, a: Document, b: Document) {
    let parsed = Sort::parse(&sort).unwrap();
    assert_eq!(parsed.compare(&a, &b), Ordering::Equal, "{sort}: {a} and {b}");
    assert!(parsed.key(&a) == parsed.key(&b), "{sort}: {a} and {b}");
}

#[test]
fn one_field() {
    let documents = [
        doc! {"a": Bson::Null},
        doc! {"a": 1},
        doc! {"a": 1.5},
        doc! {"a": "x"},
        doc! {"a": {}},
        doc! {"a": true},
    ];
    ascending(doc! {"a": 1}, &documents);
    let mut reversed = documents;
    reversed.reverse();
    ascending(doc! {"a": -1}, &reversed);
    equal(doc! {"a": 1}, doc! {"a": 1}, doc! {"a": 1.0});
}

#[test]
fn missing_fields_are_null_and_empty_arrays_below() {
    equal(doc! {"a": 1}, doc! {}, doc! {"a": Bson::Null});
    equal(doc! {"a.b": 1}, doc! {"a": 5}, doc! {"a": {"b": Bson::Null}});
    ascending(doc! {"a": 1}, &[doc! {"a": []}, doc! {}, doc! {"a": 1}]);
    ascending(doc! {"a": -1}, &[doc! {"a": 1}, doc! {}, doc! {"a": []}]);
    equal(doc! {"a.b": 1}, doc! {"a": []}, doc! {});
}

#[test]
fn arrays_sort_by_least_or_greatest() {
    let documents = [doc! {"a": [1, 9]}, doc! {"a": 2}, doc! {"a": [7, 3]}];
    ascending(doc! {"a": 1}, &documents);
    ascending(doc! {"a": -1}, &[doc! {"a": [1, 9]}, doc! {"a": [7, 3]}, doc! {"a": 2}]);
    ascending(
        doc! {"a.b": 1},
        &[doc! {"a": [{"b": 5}, {"b": 1}]}, doc! {"a": {"b": 2}}, doc! {"a": [{"b": [3, 4]}]}],
    );
    ascending(doc! {"a.b": 1}, &[doc! {"a": [{"b": 5}, {}]}, doc! {"a": {"b": 2}}]);
    ascending(doc! {"a.1": 1}, &[doc! {"a": [9, 1]}, doc! {"a": [0, 5]}]);
    // The elements, not the array: this one holds an array.
    ascending(doc! {"a": 1}, &[doc! {"a": "x"}, doc! {"a": [[1]]}]);
}

#[test]
fn several_fields() {
    ascending(
        doc! {"a": 1, "b": -1},
        &[
            doc! {"a": 1, "b": 2},
            doc! {"a": 1, "b": 1},
            doc! {"a": 1},
            doc! {"a": 2, "b": 9},
            doc! {"a": "x"},
        ],
    );
    equal(doc! {}, doc! {"a": 1}, doc! {"a": 2});
}

#[test]
fn fields_of_one_array_come_from_one_element() {
    // Sorts by (1, 9), its least pair, and not by (1, 0).
    let pairs = doc! {"a": [{"x": 2, "y": 0}, {"x": 1, "y": 9}]};
    let pair = |x, y| doc! {"a": {"x": x, "y": y}};
    ascending(doc! {"a.x": 1, "a.y": 1}, &[pair(1, 8), pairs.clone(), pair(1, 10)]);
    equal(doc! {"a.x": 1, "a.y": 1}, pairs.clone(), pair(1, 9));
    equal(doc! {"a.x": -1, "a.y": 1}, pairs.clone(), pair(2, 0));
    equal(doc! {"a.y": 1, "a.x": 1}, pairs.clone(), pair(2, 0));
    equal(doc! {"a.y": -1, "b": 1, "a.x": 1}, pairs, pair(1, 9));
    // Further in, and with elements that lack a field or have none.
    let nested = doc! {"a": [{"b": [{"x": 3, "y": 1}, {"x": 1, "y": 5}]}, {"b": [{"x": 1, "y": 4}]}]};
    equal(doc! {"a.b.x": 1, "a.b.y": 1}, nested, doc! {"a": {"b": {"x": 1, "y": 4}}});
    equal(doc! {"a.x": 1, "a.y": 1}, doc! {"a": [{"x": 1}, 7]}, doc! {});
    equal(doc! {"a.x": -1, "a.y": -1}, doc! {"a": [{"x": 1}, 7]}, doc! {"a": {"x": 1}});
    // An array and a part of it.
    equal(doc! {"a": 1, "a.x": 1}, doc! {"a": [{"x": 5}, 3]}, doc! {"a": 3});
}

#[test]
fn fields_of_different_arrays_are_independent() {
    equal(doc! {"a": 1, "b": -1}, doc! {"a": [2, 1], "b": [5, 7]}, doc! {"a": 1, "b": 7});
    let many = |start: i32| (start..start + 10_000).map(Bson::Int32).collect::<Vec<_>>();
    equal(
        doc! {"a": 1, "b": 1, "c": 1},
        doc! {"a": many(5), "b": many(6), "c": many(7)},
        doc! {"a": 5, "b": 6, "c": 7},
    );
}

#[test]
fn by_id_alone() {
    let id_only = |sort| Sort::parse(&sort).unwrap().is_id_only();
    assert_eq!(id_only(doc! {"_id": 1}), Some(true));
    assert_eq!(id_only(doc! {"_id": -1.0, "a": 1}), Some(false));
    assert_eq!(id_only(doc! {"a": 1, "_id": 1}), None);
    assert_eq!(id_only(doc! {"_id.a": 1}), None);
    assert_eq!(id_only(doc! {}), None);
    assert!(Sort::parse(&doc! {}).unwrap().is_empty() && !Sort::parse(&doc! {"a": 1}).unwrap().is_empty());
}

#[test]
fn what_cannot_be_parsed() {
    let many: Document = (0..=MAX_SORT_FIELDS).map(|i| (format!("f{i}"), Bson::Int32(1))).collect();
    for (sort, expected) in [
        (doc! {"a": 0}, code::SORT_ORDER_VALUE),
        (doc! {"a": 2}, code::SORT_ORDER_VALUE),
        (doc! {"a": 1.5}, code::SORT_ORDER_VALUE),
        (doc! {"a": f64::NAN}, code::SORT_ORDER_VALUE),
        (doc! {"a": "asc"}, code::SORT_ORDER_TYPE),
        (doc! {"a": true}, code::SORT_ORDER_TYPE),
        (doc! {"a": {"$meta": "textScore"}}, code::SORT_ORDER_TYPE),
        (doc! {"a..b": 1}, code::PATH_EMPTY_COMPONENT),
        (doc! {"": 1}, code::PATH_EMPTY_COMPONENT),
        (doc! {"$a": 1}, code::PATH_DOLLAR_COMPONENT),
        (many, code::TOO_MANY_SORT_FIELDS),
    ] {
        assert_eq!(Sort::parse(&sort).map(|_| ()).unwrap_err().code, expected, "{sort}");
    }
    assert!(Sort::parse(&doc! {"a": Bson::Decimal128("-1.0".parse().unwrap()), "b": 1i64}).is_ok());
}

#[test]
fn keys_have_the_order_of_documents() {
    let mut random = seeded();
    for sort in [doc! {"a": 1}, doc! {"a": -1, "b": 1}, doc! {"a.b": 1, "c": -1}, doc! {"a.0": -1, "b.a": -1}]
    {
        let sort = Sort::parse(&sort).unwrap();
        let documents: Vec<Document> = (0..150).map(|_| random_document(&mut random, 2)).collect();
        for a in &documents {
            for b in &documents {
                assert_eq!(sort.compare(a, b), sort.key(a).cmp(&sort.key(b)), "{a} and {b}");
            }
        }
    }
}
