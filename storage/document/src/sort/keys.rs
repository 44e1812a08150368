//! The one value of a path that a document sorts by.
//!
//! The values of a path are those that MongoDB's index keys have: elements of an array at its end and not the array
//! itself, undefined for an empty array there, null where the path ends early.

use bson::{Bson, Document};

use crate::{
    compare::compare,
    path::{Component, FieldPath},
};

/// The least value of `path` in `document`, or the greatest if not `ascending`.
pub(super) fn representative<'a>(document: &'a Document, path: &FieldPath, ascending: bool) -> &'a Bson {
    let mut best = Best { value: None, ascending };
    collect_document(document, path.components(), &mut best);
    best.value.unwrap_or(&Bson::Null)
}

struct Best<'a> {
    value: Option<&'a Bson>,
    ascending: bool,
}

impl<'a> Best<'a> {
    fn offer(&mut self, value: &'a Bson) {
        let better = self.value.is_none_or(|best| {
            let order = compare(value, best);
            if self.ascending { order.is_lt() } else { order.is_gt() }
        });
        if better {
            self.value = Some(value);
        }
    }
}

fn collect_document<'a>(document: &'a Document, path: &[Component], best: &mut Best<'a>) {
    let Some((first, rest)) = path.split_first() else { return };
    match document.get(&first.name) {
        Some(value) => collect_value(value, rest, best),
        None => best.offer(&Bson::Null),
    }
}

/// Takes the value reached so far; `path` is what is left.
fn collect_value<'a>(value: &'a Bson, path: &[Component], best: &mut Best<'a>) {
    match value {
        Bson::Array(elements) => collect_array(elements, path, best),
        Bson::Document(document) if !path.is_empty() => collect_document(document, path, best),
        scalar if path.is_empty() => best.offer(scalar),
        _ => best.offer(&Bson::Null),
    }
}

fn collect_array<'a>(elements: &'a [Bson], path: &[Component], best: &mut Best<'a>) {
    let Some((first, rest)) = path.split_first() else {
        if elements.is_empty() {
            best.offer(&Bson::Undefined);
        }
        elements.iter().for_each(|element| best.offer(element));
        return;
    };
    if let Some(element) = first.index.and_then(|index| elements.get(index)) {
        return collect_value(element, rest, best);
    }
    if elements.is_empty() {
        best.offer(&Bson::Null);
    }
    for element in elements {
        match element {
            Bson::Document(document) => collect_document(document, path, best),
            // Arrays directly in an array are not gone through, as in filters.
            _ => best.offer(&Bson::Null),
        }
    }
}
