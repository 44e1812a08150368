//! Values as bytes in the order of [`crate::compare()`]: `_id`s and, later, index entries on disk.
//!
//! Invariants:
//! - `encode_key(a).cmp(&encode_key(b)) == compare(a, b)`. Values that compare equal have identical bytes, so a key
//!   does not tell `1` from `1.0`; the document does.
//! - No key is a prefix of another key: keys can be put in a row, and their order is then field by field.
//! - The bytes are a format on disk. The golden test holds them; they never change, only unused tags may be given out.
//!
//! The format is drawn in `docs/key-encoding.md` of this crate:
#![doc = include_str!("../../docs/key-encoding.md")]

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
