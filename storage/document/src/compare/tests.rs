use std::cmp::Ordering;

use bson::{
    Binary, Bson, DateTime, JavaScriptCodeWithScope, Regex, Timestamp, doc, oid::ObjectId,
    spec::BinarySubtype,
};

use super::compare;
use crate::{
    db_pointer,
    testing::{random_value, seeded},
};

fn binary(subtype: BinarySubtype, bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype, bytes: bytes.to_vec() })
}

fn regex(pattern: &str, options: &str) -> Bson {
    Bson::RegularExpression(Regex {
        pattern: pattern.try_into().unwrap(),
        options: options.try_into().unwrap(),
    })
}

fn code(code: &str, scope: bson::Document) -> Bson {
    Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope { code: code.into(), scope })
}

/// One value after the other, through all types.
fn ascending() -> Vec<Bson> {
    let timestamp = |time, increment| Bson::Timestamp(Timestamp { time, increment });
    vec![
        Bson::MinKey,
        Bson::Undefined,
        Bson::Null,
        Bson::Double(f64::NAN),
        Bson::Int32(-1),
        Bson::Double(0.5),
        Bson::Int64(i64::MAX),
        Bson::String(String::new()),
        Bson::String("A".into()),
        Bson::Symbol("a".into()),
        Bson::String("a\0".into()),
        Bson::String("aa".into()),
        Bson::String("é".into()),
        Bson::Document(doc! {}),
        // The type of the value counts before the name of the field, the name before the value.
        Bson::Document(doc! {"b": Bson::Null}),
        Bson::Document(doc! {"a": 2}),
        Bson::Document(doc! {"a": 2, "b": 1}),
        Bson::Document(doc! {"a": 3}),
        Bson::Document(doc! {"b": 1}),
        Bson::Document(doc! {"a": "x"}),
        Bson::Array(vec![]),
        Bson::Array(vec![Bson::Null]),
        Bson::Array(vec![1.into()]),
        Bson::Array(vec![1.into(), Bson::Null]),
        Bson::Array(vec![2.into()]),
        Bson::Array(vec!["".into()]),
        // Length, then subtype, then bytes; the old subtype counts the length inside.
        binary(BinarySubtype::Generic, b""),
        binary(BinarySubtype::Generic, b"z"),
        binary(BinarySubtype::Uuid, b"a"),
        binary(BinarySubtype::Generic, b"aaaaa"),
        binary(BinarySubtype::BinaryOld, b"a"),
        Bson::ObjectId(ObjectId::from_bytes([0; 12])),
        Bson::ObjectId(ObjectId::from_bytes([255; 12])),
        Bson::Boolean(false),
        Bson::Boolean(true),
        Bson::DateTime(DateTime::from_millis(-1)),
        Bson::DateTime(DateTime::from_millis(0)),
        timestamp(0, u32::MAX),
        timestamp(1, 0),
        timestamp(u32::MAX, 0),
        regex("a", ""),
        regex("a", "i"),
        regex("b", ""),
        db_pointer::new("zz", [0; 12]),
        db_pointer::new("zz", [1; 12]),
        db_pointer::new("aaa", [0; 12]),
        Bson::JavaScriptCode("a".into()),
        Bson::JavaScriptCode("b".into()),
        code("a", doc! {"x": 1}),
        code("a", doc! {"x": 2}),
        code("b", doc! {}),
        Bson::MaxKey,
    ]
}

#[test]
fn all_types_in_order() {
    let values = ascending();
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(compare(a, b), i.cmp(&j), "{a:?} and {b:?}");
        }
    }
}

#[test]
fn equal_across_types_and_within() {
    for (a, b) in [
        (Bson::String("x".into()), Bson::Symbol("x".into())),
        (Bson::Document(doc! {"a": 1}), Bson::Document(doc! {"a": 1.0})),
        (Bson::Array(vec![0.0.into()]), Bson::Array(vec![(-0.0).into()])),
    ] {
        assert_eq!(compare(&a, &b), Ordering::Equal);
        assert_eq!(compare(&b, &a), Ordering::Equal);
    }
}

/// Values in a list sorted by a total order are pairwise in that order; a cycle or an asymmetry shows as a pair that is
/// not.
#[test]
fn is_a_total_order() {
    let mut random = seeded();
    for _ in 0..20 {
        let mut values: Vec<Bson> = (0..150).map(|_| random_value(&mut random, 2)).collect();
        values.sort_by(compare);
        for (i, a) in values.iter().enumerate() {
            assert_eq!(compare(a, a), Ordering::Equal, "{a:?}");
            let mut equal_so_far = true;
            for b in &values[i + 1..] {
                let order = compare(a, b);
                assert_ne!(order, Ordering::Greater, "{a:?} and {b:?}");
                assert_eq!(compare(b, a), order.reverse(), "{a:?} and {b:?}");
                // Once something is greater, so is everything after it.
                assert!(equal_so_far || order.is_lt(), "{a:?} and {b:?}");
                equal_so_far = order.is_eq();
            }
        }
    }
}
