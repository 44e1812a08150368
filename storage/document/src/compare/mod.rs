//! MongoDB's order of BSON values of all types.
//!
//! Invariants:
//! - A total order: antisymmetric and transitive over every pair of values, of whatever types.
//! - [`crate::encode_key`] gives the same order in bytes; the two change together or not at all.
//!
//! Source: "Comparison/Sort Order" in MongoDB's manual, and for what it leaves out (order within the rare types)
//! `BSONElement::compareElements` of the server, whose behaviour is described here in our own words.

mod identical;
mod type_class;

use std::cmp::Ordering;

use bson::{Binary, Bson, Document, spec::BinarySubtype};

pub(crate) use identical::{identical, identical_documents};
pub(crate) use type_class::{TypeClass, type_name};

use crate::{
    db_pointer,
    number::{Number, compare_numbers},
};

/// The order of two values. Values that are equal here are one key in an index: `1` and `1.0`, a string and a symbol of
/// the same text.
///
/// Recursion follows the nesting of the values, which [`crate::validate_document`] and the parsers have bounded.
///
/// ```
/// use bson::Bson;
/// assert!(coffer_document::compare(&Bson::Int32(1), &Bson::Double(1.0)).is_eq());
/// assert!(coffer_document::compare(&Bson::Null, &Bson::Int32(i32::MIN)).is_lt());
/// ```
pub fn compare(a: &Bson, b: &Bson) -> Ordering {
    let class = TypeClass::of(a);
    class.cmp(&TypeClass::of(b)).then_with(|| compare_within_class(a, b))
}

fn compare_within_class(a: &Bson, b: &Bson) -> Ordering {
    match (a, b) {
        (Bson::String(a) | Bson::Symbol(a), Bson::String(b) | Bson::Symbol(b)) => {
            a.as_bytes().cmp(b.as_bytes())
        }
        (Bson::Document(a), Bson::Document(b)) => compare_documents(a, b),
        (Bson::Array(a), Bson::Array(b)) => compare_arrays(a, b),
        (Bson::Binary(a), Bson::Binary(b)) => binary_length(a)
            .cmp(&binary_length(b))
            .then_with(|| u8::from(a.subtype).cmp(&u8::from(b.subtype)))
            .then_with(|| a.bytes.cmp(&b.bytes)),
        (Bson::ObjectId(a), Bson::ObjectId(b)) => a.bytes().cmp(&b.bytes()),
        (Bson::Boolean(a), Bson::Boolean(b)) => a.cmp(b),
        (Bson::DateTime(a), Bson::DateTime(b)) => a.timestamp_millis().cmp(&b.timestamp_millis()),
        (Bson::Timestamp(a), Bson::Timestamp(b)) => (a.time, a.increment).cmp(&(b.time, b.increment)),
        (Bson::RegularExpression(a), Bson::RegularExpression(b)) => {
            (a.pattern.as_str(), a.options.as_str()).cmp(&(b.pattern.as_str(), b.options.as_str()))
        }
        (Bson::DbPointer(_), Bson::DbPointer(_)) => {
            let (a_namespace, a_id) = db_pointer::parts(a);
            let (b_namespace, b_id) = db_pointer::parts(b);
            a_namespace
                .len()
                .cmp(&b_namespace.len())
                .then_with(|| a_namespace.cmp(&b_namespace))
                .then_with(|| a_id.cmp(&b_id))
        }
        (Bson::JavaScriptCode(a), Bson::JavaScriptCode(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Bson::JavaScriptCodeWithScope(a), Bson::JavaScriptCodeWithScope(b)) => {
            a.code.as_bytes().cmp(b.code.as_bytes()).then_with(|| compare_documents(&a.scope, &b.scope))
        }
        _ => match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => compare_numbers(a, b),
            // The classes of one value each: MinKey, Undefined, Null, MaxKey.
            _ => Ordering::Equal,
        },
    }
}

/// Field by field in the order in which they stand: type, then name, then value; a document that ends first is less.
fn compare_documents(a: &Document, b: &Document) -> Ordering {
    let mut left = a.iter();
    let mut right = b.iter();
    loop {
        let ((a_name, a_value), (b_name, b_value)) = match (left.next(), right.next()) {
            (Some(a), Some(b)) => (a, b),
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (None, None) => return Ordering::Equal,
        };
        let order = TypeClass::of(a_value)
            .cmp(&TypeClass::of(b_value))
            .then_with(|| a_name.as_bytes().cmp(b_name.as_bytes()))
            .then_with(|| compare_within_class(a_value, b_value));
        if order.is_ne() {
            return order;
        }
    }
}

/// Element by element; an array that ends first is less.
fn compare_arrays(a: &[Bson], b: &[Bson]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| compare(a, b))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// The length that orders binary values: that of the data as BSON holds it, where the old subtype 2 repeats the length
/// inside.
pub(crate) fn binary_length(binary: &Binary) -> usize {
    match binary.subtype {
        BinarySubtype::BinaryOld => binary.bytes.len() + 4,
        _ => binary.bytes.len(),
    }
}

#[cfg(test)]
mod tests;
