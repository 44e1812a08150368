use bson::{Bson, Document, doc};
use rand::RngExt;

use super::{decode_document, measure, validate_document};
use crate::{
    DocumentError, MAX_DOCUMENT_BYTES, MAX_NESTING,
    compare::identical_documents,
    error::code,
    testing::{random_document, seeded},
};

fn code_of<T>(result: Result<T, DocumentError>) -> Option<i32> {
    result.err().map(|error| error.code)
}

/// A document of `levels` levels, as bytes: `{"a": {"a": ... {}}}`, or arrays inside.
fn nested(levels: usize, kind: u8) -> Vec<u8> {
    let mut bytes = vec![5, 0, 0, 0, 0];
    for _ in 1..levels {
        let length = (bytes.len() + 4 + 1 + 2 + 1) as u32;
        let mut outer = length.to_le_bytes().to_vec();
        outer.push(kind);
        outer.extend(b"0\0");
        outer.extend(&bytes);
        outer.push(0);
        bytes = outer;
    }
    bytes
}

/// A document of one field `a` of the given type and value.
fn one_field(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + 1 + 2 + value.len() + 1) as u32).to_le_bytes().to_vec();
    bytes.push(kind);
    bytes.extend(b"a\0");
    bytes.extend(value);
    bytes.push(0);
    bytes
}

#[test]
fn what_was_written_is_read_and_measured() {
    let mut random = seeded();
    for _ in 0..2_000 {
        let document = random_document(&mut random, 3);
        let bytes = document.to_vec().unwrap();
        let decoded = decode_document(&bytes).unwrap();
        assert!(identical_documents(&decoded, &document), "{document:?}");
        assert_eq!(measure(&document).unwrap(), bytes.len(), "{document:?}");
    }
}

#[test]
fn measures_long_arrays() {
    for length in [0, 1, 9, 10, 11, 99, 100, 101, 1001] {
        let document = doc! {"a": vec![Bson::Null; length]};
        assert_eq!(measure(&document).unwrap(), document.to_vec().unwrap().len(), "{length}");
    }
}

#[test]
fn hostile_bytes_are_refused_or_read_faithfully() {
    let mut random = seeded();
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = random_document(&mut random, 3).to_vec().unwrap();
        for _ in 0..random.random_range(1..4) {
            match random.random_range(0..4) {
                0 => bytes.truncate(random.random_range(0..=bytes.len())),
                1 => bytes.insert(random.random_range(0..=bytes.len()), random.random()),
                _ if bytes.is_empty() => {}
                2 => {
                    let at = random.random_range(0..bytes.len());
                    bytes[at] = random.random();
                }
                _ => {
                    let at = random.random_range(0..bytes.len());
                    bytes[at] ^= 1 << random.random_range(0..8);
                }
            }
        }
        match decode_document(&bytes) {
            Ok(document) => {
                assert_eq!(measure(&document).unwrap(), document.to_vec().unwrap().len());
                let again = decode_document(&document.to_vec().unwrap()).unwrap();
                assert!(identical_documents(&again, &document), "{bytes:?}");
            }
            Err(error) => {
                assert!([code::INVALID_BSON, code::OVERFLOW].contains(&error.code), "{bytes:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 1_000, "the changes hardly ever broke a document");
}

#[test]
fn random_bytes_are_refused() {
    let mut random = seeded();
    for _ in 0..20_000 {
        let length = random.random_range(0..64);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.random()).collect();
        if length >= 4 {
            bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
        }
        // Whatever it says, it returns.
        let _ = decode_document(&bytes);
    }
}

#[test]
fn broken_structure() {
    let cases: &[(&str, Vec<u8>)] = &[
        ("nothing", vec![]),
        ("too short", vec![5, 0, 0, 0]),
        ("length below the least", vec![4, 0, 0, 0, 0]),
        ("negative length", vec![0xFF, 0xFF, 0xFF, 0xFF, 0]),
        ("longer than the bytes", vec![6, 0, 0, 0, 0]),
        ("bytes after the end", vec![5, 0, 0, 0, 0, 0]),
        ("no NUL at the end", vec![5, 0, 0, 0, 1]),
        ("ends early", vec![7, 0, 0, 0, 0, 0, 0]),
        ("unknown type", one_field(0x14, &[])),
        ("unfinished name", vec![7, 0, 0, 0, 0x0A, b'a', b'a']),
        ("name that is not UTF-8", vec![8, 0, 0, 0, 0x0A, 0xFF, 0, 0]),
        ("boolean 2", one_field(0x08, &[2])),
        ("int32 cut off", one_field(0x10, &[0, 0, 0])),
        ("string of length 0", one_field(0x02, &[0, 0, 0, 0])),
        ("string without NUL", one_field(0x02, &[1, 0, 0, 0, b'x'])),
        ("string with negative length", one_field(0x02, &[0xFF, 0xFF, 0xFF, 0xFF, 0])),
        ("string past the end", one_field(0x02, &[9, 0, 0, 0, 0])),
        ("string that is not UTF-8", one_field(0x02, &[2, 0, 0, 0, 0xC3, 0])),
        ("binary past the end", one_field(0x05, &[9, 0, 0, 0, 0, 1])),
        ("old binary without its inner length", one_field(0x05, &[3, 0, 0, 0, 2, 0, 0, 0])),
        ("old binary with another inner length", one_field(0x05, &[5, 0, 0, 0, 2, 2, 0, 0, 0, 9])),
        ("regular expression without options", one_field(0x0B, b"a\0b")),
        ("document past its parent", one_field(0x03, &[9, 0, 0, 0, 0])),
        ("document that ends after its parent", one_field(0x03, &[6, 0, 0, 0, 0])),
        ("scope shorter than said", one_field(0x0F, &[15, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0])),
    ];
    for (what, bytes) in cases {
        assert_eq!(code_of(decode_document(bytes)), Some(code::INVALID_BSON), "{what}");
    }
    assert_eq!(
        code_of(decode_document(&one_field(0x0F, &[14, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0]))),
        None
    );
    assert_eq!(code_of(decode_document(&one_field(0x05, &[5, 0, 0, 0, 2, 1, 0, 0, 0, 9]))), None);
}

#[test]
fn nesting_is_limited_before_anything_recurses() {
    for kind in [0x03, 0x04] {
        assert_eq!(code_of(decode_document(&nested(MAX_NESTING, kind))), None);
        assert_eq!(code_of(decode_document(&nested(MAX_NESTING + 1, kind))), Some(code::OVERFLOW));
        assert_eq!(code_of(decode_document(&nested(20_000, kind))), Some(code::OVERFLOW));
    }
    let deepest = decode_document(&nested(MAX_NESTING, 0x04)).unwrap();
    assert!(measure(&deepest).is_ok());
    assert_eq!(code_of(measure(&doc! {"a": deepest})), Some(code::OVERFLOW));
}

#[test]
fn size_is_limited() {
    let of_size = |size: usize| doc! {"a": "x".repeat(size - 13)}.to_vec().unwrap();
    let largest = of_size(MAX_DOCUMENT_BYTES);
    assert_eq!(largest.len(), MAX_DOCUMENT_BYTES);
    assert_eq!(code_of(validate_document(&largest)), None);
    assert_eq!(
        code_of(validate_document(&of_size(MAX_DOCUMENT_BYTES + 1))),
        Some(code::BSON_OBJECT_TOO_LARGE)
    );
}

#[test]
fn a_name_twice_is_refused_by_name() {
    // {"a": null, "a": null}, at the top, in a document, in an array.
    let twice = [11, 0, 0, 0, 0x0A, b'a', 0, 0x0A, b'a', 0, 0];
    let in_array = one_field(0x04, &one_field(0x03, &twice));
    for bytes in [twice.to_vec(), one_field(0x03, &twice), in_array] {
        let error = decode_document(&bytes).unwrap_err();
        assert_eq!(error.code, code::INVALID_BSON);
        assert!(error.message.contains("'a'"), "{}", error.message);
    }
    // In an array the names mean nothing.
    assert_eq!(code_of(decode_document(&one_field(0x04, &twice))), None);
}

#[test]
fn what_may_be_stored() {
    let regex = Bson::RegularExpression(bson::Regex {
        pattern: "x".try_into().unwrap(),
        options: "".try_into().unwrap(),
    });
    for (document, expected) in [
        (doc! {}, None),
        (doc! {"_id": 1, "a.b": 1, "": 2, "a$": 3}, None),
        (doc! {"_id": Bson::Null}, None),
        (doc! {"_id": {"a": {"b": [1, 2]}}}, None),
        (doc! {"a": {"$b": 1}}, None),
        (doc! {"$a": 1}, Some(code::DOLLAR_PREFIXED_FIELD_NAME)),
        (doc! {"_id": 1, "$set": {}}, Some(code::DOLLAR_PREFIXED_FIELD_NAME)),
        (doc! {"_id": [1]}, Some(code::INVALID_ID_FIELD)),
        (doc! {"_id": Bson::Undefined}, Some(code::INVALID_ID_FIELD)),
        (doc! {"_id": regex}, Some(code::INVALID_ID_FIELD)),
        (doc! {"_id": {"$a": 1}}, Some(code::DOLLAR_PREFIXED_FIELD_NAME)),
        (doc! {"_id": {"a": [{"$b": 1}]}}, Some(code::DOLLAR_PREFIXED_FIELD_NAME)),
    ] {
        let bytes = Document::to_vec(&document).unwrap();
        assert_eq!(code_of(validate_document(&bytes)), expected, "{document}");
        assert_eq!(code_of(decode_document(&bytes)), None, "{document}");
    }
}
