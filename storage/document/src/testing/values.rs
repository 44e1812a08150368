//! Values of all types. Texts and names come from few letters, so that equal ones and prefixes occur.

use bson::{
    Binary, Bson, DateTime, Document, JavaScriptCodeWithScope, Regex, Timestamp, oid::ObjectId,
    spec::BinarySubtype,
};
use rand::{RngExt, seq::IndexedRandom};

use super::numbers::random_number;
use crate::db_pointer;

/// A value of a random type, nested up to `depth` levels.
pub(crate) fn random_value(random: &mut impl RngExt, depth: usize) -> Bson {
    match random.random_range(0..if depth == 0 { 20 } else { 27 }) {
        0..5 => random_number(random),
        5 => Bson::Null,
        6 => Bson::Boolean(random.random()),
        7 => Bson::String(text(random)),
        8 => Bson::Symbol(text(random)),
        9 => Bson::ObjectId(ObjectId::from_bytes(small_bytes(random))),
        10 => Bson::DateTime(DateTime::from_millis(
            *[i64::MIN, -1, 0, 1, i64::MAX, random.random()].choose(random).unwrap(),
        )),
        11 => Bson::Timestamp(Timestamp {
            time: random.random_range(0..3),
            increment: random.random_range(0..3),
        }),
        12 => binary(random),
        13 => Bson::RegularExpression(Regex {
            pattern: text(random).replace('\0', "").try_into().unwrap(),
            options: (*["", "i", "im"].choose(random).unwrap()).try_into().unwrap(),
        }),
        14 => Bson::JavaScriptCode(text(random)),
        15 => db_pointer::new(&text(random), small_bytes(random)),
        16 => Bson::Undefined,
        17 => Bson::MinKey,
        18 => Bson::MaxKey,
        19 => Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope {
            code: text(random),
            scope: if depth == 0 { Document::new() } else { random_document(random, depth - 1) },
        }),
        20..23 => {
            Bson::Array((0..random.random_range(0..4)).map(|_| random_value(random, depth - 1)).collect())
        }
        _ => Bson::Document(random_document(random, depth - 1)),
    }
}

/// A document of a few fields with names out of `a`, `b`, `c`, `0`, `1`.
pub(crate) fn random_document(random: &mut impl RngExt, depth: usize) -> Document {
    let count = random.random_range(0..4);
    (0..count).map(|_| (name(random).to_owned(), random_value(random, depth))).collect()
}

/// A field name of [`random_document`].
pub(super) fn name(random: &mut impl RngExt) -> &'static str {
    ["a", "b", "c", "0", "1"].choose(random).unwrap()
}

fn text(random: &mut impl RngExt) -> String {
    (0..random.random_range(0..4)).map(|_| *['a', 'b', '\0', '\u{1}', 'ÿ'].choose(random).unwrap()).collect()
}

fn small_bytes<const N: usize>(random: &mut impl RngExt) -> [u8; N] {
    let mut bytes = [0; N];
    bytes[random.random_range(0..N)] = random.random();
    bytes
}

fn binary(random: &mut impl RngExt) -> Bson {
    let subtypes = [
        BinarySubtype::Generic,
        BinarySubtype::BinaryOld,
        BinarySubtype::Uuid,
        BinarySubtype::UserDefined(200),
    ];
    let length = random.random_range(0..8);
    Bson::Binary(Binary {
        subtype: *subtypes.choose(random).unwrap(),
        bytes: (0..length).map(|_| *[0, 1, 255].choose(random).unwrap()).collect(),
    })
}
