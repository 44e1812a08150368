use bson::{
    Binary, Bson, DateTime, JavaScriptCodeWithScope, Regex, Timestamp, doc, oid::ObjectId,
    spec::BinarySubtype,
};

use super::{class_end, class_start, encode_key};
use crate::{
    MAX_KEY_BYTES,
    compare::{TypeClass, compare},
    db_pointer,
    error::code,
    testing::{random_value, seeded},
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decimal(text: &str) -> Bson {
    Bson::Decimal128(text.parse().unwrap())
}

/// Version 1 of the format. Files hold these bytes: a failure here means that old files would be read wrongly, and is
/// never mended by changing the table.
#[test]
fn golden() {
    let id = ObjectId::from_bytes(*b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b");
    let binary = |subtype, bytes: &[u8]| Bson::Binary(Binary { subtype, bytes: bytes.to_vec() });
    for (value, key) in [
        (Bson::MinKey, "08"),
        (Bson::Undefined, "10"),
        (Bson::Null, "18"),
        (Bson::Double(f64::NAN), "20 0000000000000000 00"),
        (Bson::Double(f64::NEG_INFINITY), "20 000fffffffffffff ff"),
        (Bson::Double(-1.0), "20 400fffffffffffff ff"),
        (Bson::Int64(i64::MIN), "20 3c1fffffffffffff ff"),
        (decimal("-1E-6176"), "20 7fffffffffffffff fe d81f f4 ff"),
        (Bson::Double(-0.0), "20 8000000000000000 00"),
        (Bson::Int32(0), "20 8000000000000000 00"),
        (decimal("1E-6176"), "20 8000000000000000 01 27e0 0b 00"),
        (Bson::Double(0.1), "20 bfb999999999999a 00"),
        (decimal("0.1"), "20 bfb9999999999999 01 3fff 0b 00"),
        (Bson::Int32(1), "20 bff0000000000000 00"),
        (decimal("1.00"), "20 bff0000000000000 00"),
        (Bson::Int64(9_007_199_254_740_993), "20 c340000000000000 01 400f 5b 08 14 5d 37 4b 0a 5e 00"),
        (Bson::Int64(-9_007_199_254_740_993), "20 3cbfffffffffffff fe bff0 a4 f7 eb a2 c8 b4 f5 a1 ff"),
        (Bson::Int64(i64::MAX), "20 c3dfffffffffffff 01 4012 5d 18 26 15 25 56 30 4c 51 47 00"),
        (Bson::Double(f64::INFINITY), "20 fff0000000000000 00"),
        (Bson::String("ab".into()), "28 6162 0000"),
        (Bson::Symbol("a\0é".into()), "28 61 00ff c3a9 0000"),
        (
            doc! {"x": 1, "y": {"z": Bson::Null}}.into(),
            "30 20 78 0000 bff0000000000000 00 30 79 0000 18 7a 0000 00 00",
        ),
        (Bson::Array(vec![true.into(), Bson::Array(vec![])]), "38 50 01 38 00 00"),
        (binary(BinarySubtype::Generic, b"\x00\xff"), "40 00000002 00 00ff"),
        (binary(BinarySubtype::BinaryOld, b"\x07"), "40 00000005 02 07"),
        (Bson::ObjectId(id), "48 000102030405060708090a0b"),
        (Bson::Boolean(false), "50 00"),
        (Bson::DateTime(DateTime::from_millis(-1)), "58 7fffffffffffffff"),
        (Bson::DateTime(DateTime::from_millis(1)), "58 8000000000000001"),
        (Bson::Timestamp(Timestamp { time: 1, increment: 2 }), "60 00000001 00000002"),
        (
            Bson::RegularExpression(Regex {
                pattern: "a".try_into().unwrap(),
                options: "i".try_into().unwrap(),
            }),
            "68 61 0000 69 0000",
        ),
        (db_pointer::new("d.c", id.bytes()), "70 00000003 642e63 000102030405060708090a0b"),
        (Bson::JavaScriptCode("f".into()), "78 66 0000"),
        (
            Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope {
                code: "f".into(),
                scope: doc! {"a": false},
            }),
            "80 66 0000 50 61 0000 00 00",
        ),
        (Bson::MaxKey, "f0"),
    ] {
        assert_eq!(hex(&encode_key(&value).unwrap()), key.replace(' ', ""), "{value:?}");
    }
}

#[test]
fn bytes_have_the_order_of_values() {
    let mut random = seeded();
    for round in 0..30 {
        let values: Vec<Bson> = (0..150).map(|_| random_value(&mut random, round % 3)).collect();
        let keys: Vec<Vec<u8>> = values.iter().map(|value| encode_key(value).unwrap()).collect();
        for (a, a_key) in values.iter().zip(&keys) {
            let class = TypeClass::of(a);
            assert!(class_start(class) <= *a_key && *a_key < class_end(class), "{a:?}");
            for (b, b_key) in values.iter().zip(&keys) {
                assert_eq!(
                    a_key.cmp(b_key),
                    compare(a, b),
                    "{a:?} = {} and {b:?} = {}",
                    hex(a_key),
                    hex(b_key)
                );
                assert!(a_key == b_key || !b_key.starts_with(a_key), "{a:?} is a prefix of {b:?}");
            }
        }
    }
}

#[test]
fn keys_in_a_row_sort_field_by_field() {
    let mut random = seeded();
    let mut pair = || (random_value(&mut random, 1), random_value(&mut random, 1));
    let pairs: Vec<(Bson, Bson)> = (0..200).map(|_| pair()).collect();
    let row =
        |(first, second): &(Bson, Bson)| [encode_key(first).unwrap(), encode_key(second).unwrap()].concat();
    for a in &pairs {
        for b in &pairs {
            let order = compare(&a.0, &b.0).then_with(|| compare(&a.1, &b.1));
            assert_eq!(row(a).cmp(&row(b)), order, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn length_and_depth_are_limited() {
    let text = |length| Bson::String("x".repeat(length));
    // A tag in front, two bytes at the end.
    assert_eq!(encode_key(&text(MAX_KEY_BYTES - 3)).unwrap().len(), MAX_KEY_BYTES);
    assert_eq!(encode_key(&text(MAX_KEY_BYTES - 2)).unwrap_err().code, code::KEY_TOO_LONG);
    assert_eq!(
        encode_key(&Bson::String("\0".repeat(MAX_KEY_BYTES - 3))).unwrap_err().code,
        code::KEY_TOO_LONG
    );
    let long = vec![0; MAX_KEY_BYTES];
    let binary = Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: long });
    assert_eq!(encode_key(&binary).unwrap_err().code, code::KEY_TOO_LONG);
    let many = Bson::Array(vec![Bson::Int32(1); MAX_KEY_BYTES / 10 + 1]);
    assert_eq!(encode_key(&many).unwrap_err().code, code::KEY_TOO_LONG);

    let nested = |levels| (0..levels).fold(Bson::Int32(1), |inner, _| Bson::Array(vec![inner]));
    assert!(encode_key(&nested(100)).is_ok());
    assert_eq!(encode_key(&nested(101)).unwrap_err().code, code::OVERFLOW);
}
