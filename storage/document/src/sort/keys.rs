//! The values that a document sorts by, one per field of the sort.
//!
//! The values of a path are those that MongoDB's index keys have: elements of an array at its end and not the array
//! itself, undefined for an empty array there, null where the path ends early. Fields whose paths run through the same
//! array take their values from the same element of it, as in a compound index; of all such combinations the one that
//! sorts first counts. Fields that run through different arrays are independent (MongoDB refuses to sort by them).

use std::cmp::Ordering;

use bson::{Bson, Document};

use super::SortField;
use crate::{compare::compare, path::Component};

/// The values that `document` sorts by, in the order of `fields`.
pub(super) fn values<'a>(document: &'a Document, fields: &[SortField]) -> Vec<&'a Bson> {
    let cursors: Vec<Cursor<'a, '_>> = fields
        .iter()
        .enumerate()
        .map(|(index, field)| Cursor {
            field: index,
            ascending: field.ascending,
            document,
            path: field.path.components(),
        })
        .collect();
    let mut values = vec![&Bson::Null; fields.len()];
    for (field, value) in resolve(cursors) {
        values[field] = value;
    }
    values
}

/// The values of some fields: index of the field and value, by ascending index.
type Values<'a> = Vec<(usize, &'a Bson)>;

/// Where the path of one field has got to.
#[derive(Clone, Copy)]
struct Cursor<'a, 'p> {
    field: usize,
    ascending: bool,
    document: &'a Document,
    /// What is left of the path in the document; in a group, in the elements of its array.
    path: &'p [Component],
}

/// How far a path goes without a choice between elements of an array.
enum Reached<'a, 'p> {
    Value(&'a Bson),
    /// An array of which any element may be taken, none by index; and the path that is left for them.
    Array(&'a [Bson], &'p [Component]),
}

impl<'a, 'p> Cursor<'a, 'p> {
    fn advance(&self) -> Reached<'a, 'p> {
        let Some((first, mut path)) = self.path.split_first() else { return Reached::Value(&Bson::Null) };
        let mut value = self.document.get(&first.name).unwrap_or(&Bson::Null);
        loop {
            let next = match (value, path.split_first()) {
                (Bson::Array(elements), None) => return Reached::Array(elements, path),
                (value, None) => return Reached::Value(value),
                (Bson::Document(document), Some((first, _))) => document.get(&first.name),
                (Bson::Array(elements), Some((first, _))) => {
                    match first.index.and_then(|index| elements.get(index)) {
                        Some(element) => Some(element),
                        None => return Reached::Array(elements, path),
                    }
                }
                (_, Some(_)) => None,
            };
            match next {
                Some(next) => value = next,
                None => return Reached::Value(&Bson::Null),
            }
            path = &path[1..];
        }
    }
}

/// Finds the values of the fields under `cursors`. The recursion is as deep as the document at most.
fn resolve<'a>(cursors: Vec<Cursor<'a, '_>>) -> Values<'a> {
    let mut values = Values::with_capacity(cursors.len());
    let mut groups: Vec<(&[Bson], Vec<Cursor<'a, '_>>)> = Vec::new();
    for cursor in cursors {
        match cursor.advance() {
            Reached::Value(value) => values.push((cursor.field, value)),
            Reached::Array(elements, path) => {
                let waiting = Cursor { path, ..cursor };
                match groups.iter_mut().find(|(array, _)| std::ptr::eq(*array, elements)) {
                    Some((_, group)) => group.push(waiting),
                    None => groups.push((elements, vec![waiting])),
                }
            }
        }
    }
    for (elements, group) in groups {
        values.extend(first_of_array(elements, &group));
    }
    values.sort_by_key(|(field, _)| *field);
    values
}

/// The combination of values that sorts first among those of the elements.
fn first_of_array<'a>(elements: &'a [Bson], group: &[Cursor<'a, '_>]) -> Values<'a> {
    if elements.is_empty() {
        let value =
            |cursor: &Cursor<'_, '_>| if cursor.path.is_empty() { &Bson::Undefined } else { &Bson::Null };
        return group.iter().map(|cursor| (cursor.field, value(cursor))).collect();
    }
    let mut best: Option<Values<'a>> = None;
    for element in elements {
        let candidate = of_element(element, group);
        if best.as_ref().is_none_or(|best| order(&candidate, best, group).is_lt()) {
            best = Some(candidate);
        }
    }
    best.unwrap_or_default()
}

/// The values of the group's fields if this element of their array is the one taken.
fn of_element<'a>(element: &'a Bson, group: &[Cursor<'a, '_>]) -> Values<'a> {
    let mut values = Values::with_capacity(group.len());
    let mut further = Vec::new();
    for cursor in group {
        match element {
            // The array ends the path: an element counts as it is.
            _ if cursor.path.is_empty() => values.push((cursor.field, element)),
            Bson::Document(document) => further.push(Cursor { document, ..*cursor }),
            // Neither scalars nor arrays directly in the array have fields.
            _ => values.push((cursor.field, &Bson::Null)),
        }
    }
    if !further.is_empty() {
        values.extend(resolve(further));
        values.sort_by_key(|(field, _)| *field);
    }
    values
}

/// The order of two combinations of values of the same fields.
fn order(a: &Values<'_>, b: &Values<'_>, group: &[Cursor<'_, '_>]) -> Ordering {
    a.iter()
        .zip(b)
        .zip(group)
        .map(|(((_, a), (_, b)), cursor)| {
            let order = compare(a, b);
            if cursor.ascending { order } else { order.reverse() }
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
