//! Sameness of values to the bit, which decides whether an update changed anything.
//!
//! Not `PartialEq` of the `bson` crate: its documents are equal when their fields stand in another order, and its
//! doubles when a zero lost its sign; both are changes that must be written.

use bson::{Bson, Document};

/// Whether two values have the same type and the same bytes.
pub(crate) fn identical(a: &Bson, b: &Bson) -> bool {
    match (a, b) {
        (Bson::Double(a), Bson::Double(b)) => a.to_bits() == b.to_bits(),
        (Bson::Document(a), Bson::Document(b)) => identical_documents(a, b),
        (Bson::Array(a), Bson::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b))
        }
        (Bson::JavaScriptCodeWithScope(a), Bson::JavaScriptCodeWithScope(b)) => {
            a.code == b.code && identical_documents(&a.scope, &b.scope)
        }
        // The rest hold neither doubles nor documents.
        (a, b) => a == b,
    }
}

/// Whether two documents have the same fields with the same values in the same order.
pub(crate) fn identical_documents(a: &Document, b: &Document) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((a_name, a), (b_name, b))| a_name == b_name && identical(a, b))
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn tells_apart_what_compares_equal() {
        for (a, b) in [
            (doc! {"a": 1, "b": 2}, doc! {"b": 2, "a": 1}),
            (doc! {"a": 1}, doc! {"a": 1i64}),
            (doc! {"a": 0.0}, doc! {"a": -0.0}),
            (doc! {"a": [1, {"b": 0.0}]}, doc! {"a": [1, {"b": -0.0}]}),
            (doc! {"a": [1]}, doc! {"a": [1, 1]}),
            (doc! {"a": "x"}, doc! {"a": Bson::Symbol("x".into())}),
        ] {
            assert!(!identical_documents(&a, &b), "{a} and {b}");
            assert!(identical_documents(&a, &a) && identical_documents(&b, &b));
        }
        assert!(identical(&Bson::Double(f64::NAN), &Bson::Double(f64::NAN)));
    }
}
