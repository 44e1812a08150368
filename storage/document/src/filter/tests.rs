//! One table per operator: a filter, documents that match, documents that do not.

use bson::{Bson, DateTime, Document, Regex, Timestamp, doc, oid::ObjectId};
use rand::RngExt;

use super::Filter;
use crate::{
    MAX_NESTING, MAX_PATH_INDEXES, encode_key,
    error::code,
    testing::{random_document, random_filter, random_value, seeded},
};

fn check(filter: Document, matching: &[Document], others: &[Document]) {
    let parsed = Filter::parse(&filter).unwrap();
    for document in matching {
        assert!(parsed.matches(document), "{filter} must match {document}");
    }
    for document in others {
        assert!(!parsed.matches(document), "{filter} must not match {document}");
    }
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().unwrap())
}

fn regex(pattern: &str) -> Bson {
    Bson::RegularExpression(Regex { pattern: pattern.try_into().unwrap(), options: "".try_into().unwrap() })
}

fn symbol(text: &str) -> Bson {
    Bson::Symbol(text.into())
}

#[test]
fn the_empty_filter_matches_all() {
    check(doc! {}, &[doc! {}, doc! {"a": 1}], &[]);
    let is_empty = |filter| Filter::parse(&filter).unwrap().is_empty();
    assert!(is_empty(doc! {}) && is_empty(doc! {"$comment": "x"}) && !is_empty(doc! {"a": 1}));
    check(doc! {"$comment": "why"}, &[doc! {}, doc! {"a": 1}], &[]);
}

#[test]
fn equality() {
    check(
        doc! {"a": 1},
        &[doc! {"a": 1}, doc! {"a": 1i64}, doc! {"a": 1.0}, doc! {"a": decimal("1.0")}, doc! {"a": [2, 1]}],
        &[
            doc! {},
            doc! {"a": 2},
            doc! {"a": "1"},
            doc! {"a": true},
            doc! {"a": Bson::Null},
            doc! {"a": [[1]]},
        ],
    );
    check(doc! {"a": {"$eq": "x"}}, &[doc! {"a": "x"}, doc! {"a": symbol("x")}], &[doc! {"a": "X"}]);
    check(doc! {"a": 9_007_199_254_740_993i64}, &[], &[doc! {"a": 9_007_199_254_740_992.0}]);
    check(doc! {"a": 0.0}, &[doc! {"a": -0.0}, doc! {"a": 0}], &[doc! {"a": false}]);
    check(doc! {"a": f64::NAN}, &[doc! {"a": f64::NAN}, doc! {"a": decimal("NaN")}], &[doc! {"a": 0}]);
    check(
        doc! {"a": {"$eq": regex("x")}},
        &[doc! {"a": regex("x")}],
        &[doc! {"a": "x"}, doc! {"a": regex("y")}],
    );
    check(doc! {"a": Bson::MaxKey}, &[doc! {"a": Bson::MaxKey}], &[doc! {"a": Bson::MinKey}, doc! {}]);
}

#[test]
fn equality_with_documents_is_exact() {
    check(
        doc! {"a": {"x": 1, "y": 2}},
        &[doc! {"a": {"x": 1, "y": 2}}, doc! {"a": {"x": 1.0, "y": 2i64}}, doc! {"a": [{"x": 1, "y": 2}]}],
        &[doc! {"a": {"y": 2, "x": 1}}, doc! {"a": {"x": 1}}, doc! {"a": {"x": 1, "y": 2, "z": 3}}, doc! {}],
    );
    check(doc! {"a": {}}, &[doc! {"a": {}}], &[doc! {"a": {"x": 1}}, doc! {}, doc! {"a": []}]);
    // Not operators: the first name has no dollar sign, or the document is a DBRef.
    check(doc! {"a": {"x": 1, "$gt": 2}}, &[doc! {"a": {"x": 1, "$gt": 2}}], &[doc! {"a": {"x": 1}}]);
    check(doc! {"a": {"$ref": "c", "$id": 1}}, &[doc! {"a": {"$ref": "c", "$id": 1}}], &[doc! {"a": 1}]);
}

#[test]
fn equality_with_arrays_is_with_the_whole_or_an_element() {
    check(
        doc! {"a": [1, 2]},
        &[doc! {"a": [1, 2]}, doc! {"a": [1.0, 2]}, doc! {"a": [[1, 2], 3]}],
        &[doc! {"a": [2, 1]}, doc! {"a": [1]}, doc! {"a": [1, 2, 3]}, doc! {"a": 1}, doc! {"a": [[[1, 2]]]}],
    );
    check(doc! {"a": []}, &[doc! {"a": []}, doc! {"a": [[]]}], &[doc! {"a": [1]}, doc! {}]);
}

#[test]
fn null_is_missing_too() {
    check(
        doc! {"a": Bson::Null},
        &[doc! {"a": Bson::Null}, doc! {}, doc! {"b": 1}, doc! {"a": [1, Bson::Null]}],
        &[doc! {"a": 0}, doc! {"a": []}, doc! {"a": {}}, doc! {"a": Bson::Undefined}],
    );
    check(
        doc! {"a.b": Bson::Null},
        &[doc! {}, doc! {"a": 1}, doc! {"a": {}}, doc! {"a": {"b": Bson::Null}}, doc! {"a": [{"b": 1}, {}]}],
        &[doc! {"a": {"b": 1}}, doc! {"a": []}, doc! {"a": [1, 2]}, doc! {"a": [{"b": 1}]}, doc! {"a": [[]]}],
    );
    check(
        doc! {"a": {"$ne": Bson::Null}},
        &[doc! {"a": 1}, doc! {"a": []}],
        &[doc! {}, doc! {"a": [Bson::Null]}],
    );
    check(doc! {"a": {"$gte": Bson::Null}}, &[doc! {}, doc! {"a": Bson::Null}], &[doc! {"a": 1}]);
    check(doc! {"a": {"$lte": Bson::Null}}, &[doc! {}, doc! {"a": Bson::Null}], &[doc! {"a": 1}]);
    check(doc! {"a": {"$gt": Bson::Null}}, &[], &[doc! {}, doc! {"a": Bson::Null}, doc! {"a": 1}]);
}

#[test]
fn inequality_is_the_negation_over_all_values() {
    check(
        doc! {"a": {"$ne": 1}},
        &[doc! {"a": 2}, doc! {"a": "1"}, doc! {}, doc! {"a": []}, doc! {"a": [2, 3]}],
        &[doc! {"a": 1.0}, doc! {"a": [1, 2]}],
    );
    check(
        doc! {"a.b": {"$ne": 1}},
        &[doc! {"a": [{"b": 2}]}, doc! {"a": []}],
        &[doc! {"a": [{"b": 2}, {"b": 1}]}],
    );
}

#[test]
fn ranges_stay_within_a_type() {
    check(
        doc! {"a": {"$gt": 5}},
        &[doc! {"a": 6}, doc! {"a": 5.5}, doc! {"a": 6i64}, doc! {"a": decimal("5.1")}, doc! {"a": [1, 9]}],
        &[
            doc! {"a": 5},
            doc! {"a": 4},
            doc! {"a": "x"},
            doc! {},
            doc! {"a": Bson::Null},
            doc! {"a": true},
            doc! {"a": []},
        ],
    );
    check(
        doc! {"a": {"$lt": 5}},
        &[doc! {"a": 4}, doc! {"a": f64::NEG_INFINITY}],
        &[doc! {"a": 5}, doc! {"a": f64::NAN}, doc! {"a": Bson::Null}, doc! {}, doc! {"a": Bson::MinKey}],
    );
    check(
        doc! {"a": {"$gte": "b"}},
        &[doc! {"a": "b"}, doc! {"a": symbol("c")}],
        &[doc! {"a": "a"}, doc! {"a": 9}],
    );
    check(doc! {"a": {"$lte": true}}, &[doc! {"a": true}, doc! {"a": false}], &[doc! {"a": 0}]);
    let date = |millis| Bson::DateTime(DateTime::from_millis(millis));
    let timestamp = Bson::Timestamp(Timestamp { time: 1, increment: 1 });
    check(
        doc! {"a": {"$gt": date(0)}},
        &[doc! {"a": date(1)}],
        &[doc! {"a": date(-1)}, doc! {"a": timestamp}],
    );
    check(
        doc! {"a": {"$gt": 1, "$lt": 5}},
        &[doc! {"a": 3}, doc! {"a": [0, 9]}],
        &[doc! {"a": 5}, doc! {"a": 1}],
    );
}

#[test]
fn ranges_of_documents_and_arrays() {
    check(
        doc! {"a": {"$gt": {"x": 1}}},
        &[doc! {"a": {"x": 2}}, doc! {"a": {"x": 1, "y": 1}}, doc! {"a": [{"x": 2}]}],
        &[doc! {"a": {"x": 1}}, doc! {"a": {}}, doc! {"a": 5}],
    );
    check(
        doc! {"a": {"$gt": [5]}},
        &[doc! {"a": [6]}, doc! {"a": [5, 1]}, doc! {"a": [[6]]}],
        &[doc! {"a": [5]}, doc! {"a": 6}],
    );
}

#[test]
fn ranges_with_nan_and_the_end_keys() {
    for operator in ["$gt", "$lt"] {
        check(doc! {"a": {operator: f64::NAN}}, &[], &[doc! {"a": 1}, doc! {"a": f64::NAN}]);
    }
    for operator in ["$gte", "$lte"] {
        check(
            doc! {"a": {operator: f64::NAN}},
            &[doc! {"a": f64::NAN}, doc! {"a": decimal("NaN")}],
            &[doc! {"a": 1}],
        );
    }
    check(
        doc! {"a": {"$lt": Bson::MaxKey}},
        &[doc! {"a": 1}, doc! {"a": "x"}, doc! {}],
        &[doc! {"a": Bson::MaxKey}],
    );
    check(
        doc! {"a": {"$gt": Bson::MinKey}},
        &[doc! {"a": 1}, doc! {"a": "x"}, doc! {}],
        &[doc! {"a": Bson::MinKey}],
    );
    check(doc! {"a": {"$gte": Bson::MaxKey}}, &[doc! {"a": Bson::MaxKey}], &[doc! {"a": 1}, doc! {}]);
}

#[test]
fn sets() {
    check(
        doc! {"a": {"$in": [1, "x", [3]]}},
        &[doc! {"a": 1.0}, doc! {"a": "x"}, doc! {"a": [5, "x"]}, doc! {"a": [3]}, doc! {"a": [[3]]}],
        &[doc! {"a": 2}, doc! {}, doc! {"a": 3}, doc! {"a": Bson::Null}],
    );
    check(
        doc! {"a": {"$in": [1, Bson::Null]}},
        &[doc! {}, doc! {"a": Bson::Null}, doc! {"a": 1}],
        &[doc! {"a": 2}],
    );
    check(doc! {"a": {"$in": []}}, &[], &[doc! {}, doc! {"a": 1}, doc! {"a": []}]);
    check(
        doc! {"a": {"$nin": [1, "x"]}},
        &[doc! {}, doc! {"a": 2}, doc! {"a": [2]}],
        &[doc! {"a": 1}, doc! {"a": [2, "x"]}],
    );
    check(doc! {"a": {"$nin": [Bson::Null]}}, &[doc! {"a": 1}], &[doc! {}, doc! {"a": Bson::Null}]);
    check(doc! {"a": {"$nin": []}}, &[doc! {}, doc! {"a": 1}], &[]);
    check(
        doc! {"a": {"$in": (0..1000).map(Bson::Int32).collect::<Vec<_>>()}},
        &[doc! {"a": 999.0}],
        &[doc! {"a": 1000}],
    );
}

#[test]
fn existence() {
    check(
        doc! {"a": {"$exists": true}},
        &[doc! {"a": 1}, doc! {"a": Bson::Null}, doc! {"a": []}, doc! {"a": Bson::Undefined}],
        &[doc! {}, doc! {"b": 1}],
    );
    check(doc! {"a": {"$exists": false}}, &[doc! {}], &[doc! {"a": Bson::Null}, doc! {"a": []}]);
    check(
        doc! {"a.b": {"$exists": true}},
        &[doc! {"a": [1, {"b": 1}]}],
        &[doc! {"a": [1]}, doc! {"a": 1}, doc! {"a": {}}],
    );
    check(doc! {"a.b": {"$exists": false}}, &[doc! {"a": []}, doc! {"a": 1}], &[doc! {"a": [{}, {"b": 1}]}]);
    for (argument, wanted) in [
        (Bson::Int32(1), true),
        (Bson::Double(0.5), true),
        ("no".into(), true),
        (Bson::Int64(0), false),
        (Bson::Null, false),
        (decimal("0"), false),
        (Bson::Double(f64::NAN), true),
    ] {
        let filter = Filter::parse(&doc! {"a": {"$exists": argument.clone()}}).unwrap();
        assert_eq!(filter.matches(&doc! {"a": 1}), wanted, "{argument}");
    }
}

#[test]
fn logic() {
    check(doc! {"a": 1, "b": 2}, &[doc! {"a": 1, "b": 2}], &[doc! {"a": 1}, doc! {"b": 2}]);
    check(doc! {"$and": [{"a": {"$gt": 1}}, {"a": {"$lt": 5}}]}, &[doc! {"a": 3}], &[doc! {"a": 5}]);
    check(doc! {"$or": [{"a": 1}, {"b": 2}]}, &[doc! {"a": 1}, doc! {"b": 2}], &[doc! {"a": 2}, doc! {}]);
    check(doc! {"$nor": [{"a": 1}, {"b": 2}]}, &[doc! {"a": 2}, doc! {}], &[doc! {"a": 1}, doc! {"b": 2}]);
    check(
        doc! {"c": 1, "$or": [{"a": 1}, {"$and": [{"b": 1}, {"b": {"$exists": true}}]}]},
        &[doc! {"c": 1, "b": 1}],
        &[doc! {"b": 1}, doc! {"c": 1}],
    );
    check(doc! {"$and": [{}]}, &[doc! {}], &[]);
    check(doc! {"$nor": [{}]}, &[], &[doc! {}]);
}

#[test]
fn negation() {
    check(
        doc! {"a": {"$not": {"$gt": 5}}},
        &[doc! {"a": 5}, doc! {}, doc! {"a": "x"}, doc! {"a": []}],
        &[doc! {"a": 6}, doc! {"a": [1, 6]}],
    );
    check(
        doc! {"a": {"$not": {"$gt": 1, "$lt": 5}}},
        &[doc! {"a": 1}, doc! {"a": 5}],
        &[doc! {"a": 3}, doc! {"a": [0, 9]}],
    );
    check(doc! {"a": {"$not": {"$not": {"$eq": 1}}}}, &[doc! {"a": 1}], &[doc! {"a": 2}]);
    check(doc! {"a": {"$not": {"$exists": true}}}, &[doc! {}], &[doc! {"a": 1}]);
}

#[test]
fn dotted_paths() {
    check(doc! {"a.b.c": 1}, &[doc! {"a": {"b": {"c": 1}}}], &[doc! {"a": {"b": 1}}, doc! {"a.b.c": 1}]);
    check(
        doc! {"a.b": 1},
        &[doc! {"a": [{"b": 0}, {"b": 1}]}, doc! {"a": [{"b": [0, 1]}]}, doc! {"a": {"b": [1]}}],
        &[doc! {"a": [[{"b": 1}]]}, doc! {"a": [1]}],
    );
    check(
        doc! {"a.0": 1},
        &[doc! {"a": [1, 2]}, doc! {"a": {"0": 1}}, doc! {"a": [{"0": 1}]}, doc! {"a": [5, {"0": 1}]}],
        &[doc! {"a": [2, 1]}, doc! {"a": 1}, doc! {"a": [[1]]}],
    );
    check(doc! {"a.0": [1]}, &[doc! {"a": [[1]]}], &[doc! {"a": [1]}]);
    check(
        doc! {"a.1.b": 1},
        &[doc! {"a": [0, {"b": 1}]}, doc! {"a": [0, [{"b": 1}]]}],
        &[doc! {"a": [{"b": 1}, 0]}],
    );
    check(doc! {"a.0.0": 1}, &[doc! {"a": [[1]]}], &[doc! {"a": [1]}]);
    check(doc! {"a.00": 1}, &[doc! {"a": {"00": 1}}], &[doc! {"a": [1]}]);
    check(doc! {"": 1}, &[doc! {"": 1}], &[doc! {}]);
}

#[test]
fn what_cannot_be_parsed() {
    let oid = ObjectId::from_bytes([1; 12]);
    for filter in [
        doc! {"$where": "x"},
        doc! {"$expr": {"$eq": ["$a", 1]}},
        doc! {"$and": []},
        doc! {"$or": 1},
        doc! {"$nor": {"a": 1}},
        doc! {"$and": [1]},
        doc! {"a": {"$foo": 1}},
        doc! {"a": {"$gt": 1, "b": 2}},
        doc! {"a": {"$regex": "x"}},
        doc! {"a": regex("x")},
        doc! {"a": {"$in": 1}},
        doc! {"a": {"$in": [{"$gt": 1}]}},
        doc! {"a": {"$in": [regex("x")]}},
        doc! {"a": {"$nin": [regex("x")]}},
        doc! {"a": {"$nin": oid}},
        doc! {"a": {"$in": [Bson::Undefined]}},
        doc! {"a": {"$ne": regex("x")}},
        doc! {"a": {"$gt": regex("x")}},
        doc! {"a": {"$not": 1}},
        doc! {"a": {"$not": {}}},
        doc! {"a": {"$not": regex("x")}},
        doc! {"a": {"$not": {"b": 1}}},
        doc! {"a": {"$eq": Bson::Undefined}},
        doc! {"a": Bson::Undefined},
    ] {
        let error = Filter::parse(&filter).map(|_| ()).unwrap_err();
        assert_eq!(error.code, code::BAD_VALUE, "{filter}");
    }
    let message = |filter| Filter::parse(&filter).unwrap_err().message;
    assert!(message(doc! {"$foo": 1}).starts_with("unknown top level operator: $foo"));
    assert_eq!(message(doc! {"a": {"$foo": 1}}), "unknown operator: $foo");
    assert_eq!(message(doc! {"$or": []}), "$or must be a nonempty array");
}

#[test]
fn nesting_is_limited() {
    let nest = |levels| (0..levels).fold(doc! {"a": 1}, |inner, _| doc! {"$and": [inner]});
    assert!(Filter::parse(&nest(MAX_NESTING / 2 - 1)).unwrap().matches(&doc! {"a": 1}));
    let error = Filter::parse(&nest(MAX_NESTING / 2)).unwrap_err();
    assert_eq!(error.code, code::OVERFLOW);
}

#[test]
fn paths_are_limited() {
    let parse = |path: String| Filter::parse(&doc! {path: 1}).map_err(|error| error.code);
    let names = |count: usize| vec!["a"; count].join(".");
    assert!(parse(names(MAX_NESTING)).is_ok());
    assert_eq!(parse(names(MAX_NESTING + 1)).map(|_| ()), Err(code::OVERFLOW));
    let indexes = |count: usize| vec!["0"; count].join(".");
    assert_eq!(parse(indexes(MAX_PATH_INDEXES + 1)).map(|_| ()), Err(code::BAD_VALUE));
    // Each level can be read in two ways; all of them are tried, and none matches.
    let document = (0..45).fold(doc! {}, |inner, _| doc! {"0": [inner]});
    assert!(!parse(indexes(MAX_PATH_INDEXES)).unwrap().matches(&document));
}

#[test]
fn large_filters_take_no_square_of_time() {
    let points: Vec<Bson> = (0..50_000).map(|id| doc! {"_id": id}.into()).collect();
    // More conditions than a filter may have: the ranges are worth it by themselves.
    let unlimited = |filter| Filter { root: super::parse::parse(&filter).unwrap() };
    let range = unlimited(doc! {"$or": points}).id_range();
    assert_eq!(range.points.unwrap().len(), 50_000);
    let mut parts: Vec<Bson> = (0..50_000).map(|id| doc! {"_id": {"$gte": id}}.into()).collect();
    parts.insert(0, doc! {"_id": {"$in": (0..50_001).map(Bson::Int32).collect::<Vec<_>>()}}.into());
    let range = unlimited(doc! {"$and": parts}).id_range();
    assert_eq!(range.points.unwrap().len(), 2);
}

#[test]
fn fields_fixed_by_equality() {
    let fields = |filter| Filter::parse(&filter).unwrap().equality_fields();
    let found = fields(doc! {
        "a": 1,
        "b.c": {"$eq": "x"},
        "d": {"$gt": 1},
        "e": {"$in": [1]},
        "$and": [{"f": [1]}, {"$or": [{"g": Bson::Null}]}],
        "$or": [{"h": 1}, {"i": 1}],
        "j": {"$not": {"$eq": 1}},
        "k": {"$ne": 1},
    });
    let expected =
        [("a", 1.into()), ("b.c", "x".into()), ("f", Bson::Array(vec![1.into()])), ("g", Bson::Null)];
    assert_eq!(found.unwrap(), expected.map(|(path, value)| (path.to_owned(), value)));
    for filter in [
        doc! {"$and": [{"a": 1}, {"a": 1}]},
        doc! {"a": 1, "a.b": 2},
        doc! {"a.b.c": 1, "z": 1, "$and": [{"a.b": 2}]},
    ] {
        assert_eq!(fields(filter.clone()).unwrap_err().code, code::NOT_SINGLE_VALUE_FIELD, "{filter}");
    }
    assert_eq!(fields(doc! {"a": 1, "ab": 2, "a-": 3}).unwrap().len(), 3);
}

#[test]
fn ranges_of_ids() {
    let range = |filter| Filter::parse(&filter).unwrap().id_range();
    let key = |value: Bson| encode_key(&value).unwrap();
    for filter in [
        doc! {},
        doc! {"a": 1},
        doc! {"_id.a": 1},
        doc! {"_id": {"$ne": 1}},
        doc! {"_id": {"$exists": true}},
        doc! {"$nor": [{"_id": 1}]},
        doc! {"$or": [{"_id": 1}, {"a": 1}]},
        doc! {"_id": {"$gt": Bson::MinKey}},
    ] {
        assert!(range(filter.clone()).is_full(), "{filter}");
    }
    for (filter, points) in [
        (doc! {"_id": 5}, vec![key(5.into())]),
        (
            doc! {"_id": {"$in": [7, 5, 5.0, "x"]}, "a": 1},
            vec![key(5.into()), key(7.into()), key("x".into())],
        ),
        (doc! {"_id": {"$in": [5, 7, 9], "$gt": 5, "$lt": 8}}, vec![key(7.into())]),
        (doc! {"$and": [{"_id": {"$in": [5, 7]}}, {"_id": {"$in": [7, 9]}}]}, vec![key(7.into())]),
        (
            doc! {"$or": [{"_id": 9}, {"_id": {"$in": [1]}}, {"_id": {"$in": []}}]},
            vec![key(1.into()), key(9.into())],
        ),
        (doc! {"_id": 5, "$and": [{"_id": 6}]}, vec![]),
        (doc! {"_id": {"$eq": 5, "$lt": 5}}, vec![]),
    ] {
        let range = range(filter.clone());
        assert_eq!(range.is_empty(), points.is_empty(), "{filter}");
        assert_eq!(range.points, Some(points), "{filter}");
    }
    for (filter, inside, outside) in [
        (
            doc! {"_id": {"$gt": 5}},
            vec![6.into(), Bson::Double(f64::INFINITY)],
            vec![5.into(), "x".into(), Bson::Null],
        ),
        (doc! {"_id": {"$gte": 5}}, vec![5.into()], vec![Bson::Double(4.9), Bson::Document(doc! {})]),
        (
            doc! {"_id": {"$lt": "m"}},
            vec!["a".into(), symbol("b")],
            vec!["m".into(), 5.into(), Bson::Document(doc! {})],
        ),
        (
            doc! {"_id": {"$gt": 5, "$lte": 8}},
            vec![8.into(), Bson::Double(5.1)],
            vec![5.into(), Bson::Double(8.1)],
        ),
        (
            doc! {"$or": [{"_id": {"$lt": 3}}, {"_id": 9}]},
            vec![2.into(), 9.into()],
            vec![10.into(), "x".into()],
        ),
    ] {
        let range = range(filter.clone());
        assert!(range.points.is_none() && !range.is_full() && !range.is_empty(), "{filter}");
        for value in inside {
            assert!(range.contains(&key(value.clone())), "{filter} and {value}");
        }
        for value in outside {
            assert!(!range.contains(&key(value.clone())), "{filter} and {value}");
        }
    }
    assert!(range(doc! {"_id": {"$gt": 5, "$lt": 5}}).is_empty());
    assert!(range(doc! {"_id": {"$gt": 5, "$lt": "x"}}).is_empty());
}

#[test]
fn every_match_is_in_the_range() {
    let mut random = seeded();
    let (mut matches, mut narrow) = (0, 0);
    for _ in 0..300 {
        let pool: Vec<Bson> = (0..6).map(|_| random_value(&mut random, 1)).collect();
        for _ in 0..40 {
            let text = random_filter(&mut random, &pool, 2);
            let filter = Filter::parse(&text).unwrap();
            let range = filter.id_range();
            narrow += usize::from(!range.is_full());
            for id in &pool {
                if matches!(id, Bson::Array(_)) {
                    continue;
                }
                let mut document = random_document(&mut random, 1);
                document.insert("_id", id.clone());
                if filter.matches(&document) {
                    matches += 1;
                    let key = encode_key(id).unwrap();
                    assert!(range.contains(&key) && range.bounds_contain(&key), "{text} and {document}");
                    assert!(!range.is_empty(), "{text}");
                }
            }
        }
    }
    assert!(matches > 1_000 && narrow > 1_000, "{matches} matches and {narrow} narrow ranges test little");
}

/// Equality and order of a filter agree with each other: of values of one type one of `$lt`, `$eq`, `$gt` holds.
#[test]
fn ranges_and_equality_agree() {
    let mut random = seeded();
    for _ in 0..20_000 {
        let value = random_value(&mut random, 1);
        let operand = if random.random() { value.clone() } else { random_value(&mut random, 1) };
        if matches!(operand, Bson::RegularExpression(_) | Bson::Undefined) {
            continue;
        }
        let document = doc! {"a": {"b": value}};
        let matches = |filter: Document| Filter::parse(&doc! {"a.b": filter}).unwrap().matches(&document);
        let holds = |operator: &str| matches(doc! {operator: operand.clone()});
        assert_ne!(holds("$eq"), holds("$ne"), "{document} and {operand}");
        let in_set = matches(doc! {"$in": [operand.clone()]});
        assert_eq!(holds("$eq"), in_set, "{document} and {operand}");
        if !matches!(document.get_document("a").unwrap().get("b"), Some(Bson::Array(_))) {
            assert_eq!(holds("$lte"), holds("$lt") || holds("$eq"), "{document} and {operand}");
            assert_eq!(holds("$gte"), holds("$gt") || holds("$eq"), "{document} and {operand}");
            assert!(!(holds("$lt") && holds("$gt")), "{document} and {operand}");
        }
    }
}

#[test]
fn a_filter_has_a_limited_number_of_conditions_and_a_set_counts_as_one() {
    let many = |count: usize| {
        let clauses: Vec<_> = (0..count).map(|n| bson::bson!({"a": i64::try_from(n).unwrap()})).collect();
        Filter::parse(&doc! {"$or": clauses})
    };
    assert_eq!(many(10).unwrap().conditions(), 11);
    assert!(many(crate::MAX_FILTER_CONDITIONS - 2).is_ok());
    assert_eq!(many(crate::MAX_FILTER_CONDITIONS).unwrap_err().code, 2);
    let members: Vec<i32> = (0..100_000).collect();
    assert_eq!(Filter::parse(&doc! {"a": {"$in": members}}).unwrap().conditions(), 1);
}
