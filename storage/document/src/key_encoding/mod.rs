//! Values as bytes in the order of [`crate::compare`]: `_id`s and, later, index entries on disk.
//!
//! Invariants:
//! - `encode_key(a).cmp(&encode_key(b)) == compare(a, b)`. Values that compare equal have identical bytes, so a key
//!   does not tell `1` from `1.0`; the document does.
//! - No key is a prefix of another key: keys can be put in a row, and their order is then field by field.
//! - The bytes are a format on disk. The golden test holds them; they never change, only unused tags may be given out.
//!
//! # Version 1
//!
//! A key is a tag byte (the class of the type) and a body:
//!
//! ```text
//! tag   class               body
//! 0x08  MinKey              -
//! 0x10  Undefined           -
//! 0x18  Null                -
//! 0x20  Number              double, more (below)
//! 0x28  String, Symbol      text
//! 0x30  Document            per field: tag, text (its name), body;  then 0x00
//! 0x38  Array               per element: tag, body;  then 0x00
//! 0x40  Binary              u32 length, u8 subtype, bytes; the length of subtype 2 counts 4 more, as its BSON does
//! 0x48  ObjectId            12 bytes
//! 0x50  Boolean             0x00 or 0x01
//! 0x58  DateTime            i64 milliseconds with the sign bit flipped
//! 0x60  Timestamp           u32 time, u32 increment
//! 0x68  RegularExpression   text (pattern), text (options)
//! 0x70  DbPointer           u32 length of the namespace, its bytes, 12 bytes
//! 0x78  JavaScriptCode      text
//! 0x80  ...WithScope        text, then as Document
//! 0xF0  MaxKey              -
//! ```
//!
//! Integers are big-endian. A text is its bytes, each 0x00 written as 0x00 0xFF, and 0x00 0x00 at the end: a text ends
//! before any that goes on.
//!
//! ```text
//! Number
//! +---------+----------------------------------------------+------+----------------------------------+
//! | 0x20    | 8 bytes: the double of the greatest          | more | if more is 0x01, the exact value |
//! |         | magnitude not above the number's             |      | in decimal                       |
//! +---------+----------------------------------------------+------+----------------------------------+
//! decimal:  u16 exponent of the first digit + 0x4000, pairs of digits as 1..=100, 0x00
//! ```
//!
//! The double's bits have the sign bit flipped if the number is positive or zero, and all bits flipped if it is
//! negative: the usual order-preserving form. `more` is 0x00 when the double is the number; otherwise it is 0x01 and
//! the decimal tells apart the int64s and decimals between this double and the next. They have at most 34 digits;
//! zeros at the end are left out. Of a negative number `more` and the decimal are complemented. NaN is eight bytes 0x00
//! and `more` 0x00.

mod number;
mod writer;

use bson::Bson;

use crate::{
    DocumentError,
    compare::TypeClass,
    limits::{MAX_KEY_BYTES, MAX_NESTING},
};

pub(crate) use writer::KeyWriter;

/// The key of `value`.
///
/// # Errors
///
/// `KeyTooLong` if the key would be longer than [`crate::MAX_KEY_BYTES`], `Overflow` if the value is nested deeper than
/// [`crate::MAX_NESTING`].
///
/// ```
/// use bson::Bson;
/// use coffer_document::encode_key;
/// assert_eq!(encode_key(&Bson::Int32(7))?, encode_key(&Bson::Double(7.0))?);
/// assert!(encode_key(&Bson::Int32(7))? < encode_key(&Bson::String("7".into()))?);
/// # Ok::<(), coffer_document::DocumentError>(())
/// ```
pub fn encode_key(value: &Bson) -> Result<Vec<u8>, DocumentError> {
    let mut writer = KeyWriter::new(MAX_KEY_BYTES, MAX_NESTING);
    writer.write(value)?;
    Ok(writer.finish())
}

/// The first byte of the keys of `class`: every key of the class is at or above these bytes.
pub(crate) fn class_start(class: TypeClass) -> Vec<u8> {
    vec![class.tag()]
}

/// Bytes above every key of `class` and below those of the next.
pub(crate) fn class_end(class: TypeClass) -> Vec<u8> {
    vec![class.tag() + 1]
}

#[cfg(test)]
mod tests;
