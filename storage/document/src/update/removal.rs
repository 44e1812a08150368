//! `$unset` of many paths in one pass: taking fields out one by one would move the rest of a document each time.

use std::collections::BTreeSet;

use bson::{Bson, Document};

use crate::path::FieldPath;

/// Removes the fields at `paths`, which are in the order of updates and not within each other. Elements of arrays become
/// null, as taking them out would move the others; paths that are not there are passed over. Returns whether anything
/// changed.
pub(super) fn remove_all(document: &mut Document, paths: &[FieldPath]) -> bool {
    in_document(document, paths, 0)
}

/// The paths have their first `at` names in common and go on in `document`. The recursion is as deep as it.
fn in_document(document: &mut Document, paths: &[FieldPath], at: usize) -> bool {
    let mut changed = false;
    let mut removed = BTreeSet::new();
    for group in groups(paths, at) {
        let Some(component) = group[0].components().get(at) else { continue };
        let Some(value) = document.get_mut(&component.name) else { continue };
        if group[0].components().len() == at + 1 {
            removed.insert(component.name.as_str());
        } else {
            changed |= in_value(value, group, at + 1);
        }
    }
    if removed.is_empty() {
        return changed;
    }
    *document =
        std::mem::take(document).into_iter().filter(|(name, _)| !removed.contains(name.as_str())).collect();
    true
}

fn in_value(value: &mut Bson, paths: &[FieldPath], at: usize) -> bool {
    match value {
        Bson::Document(document) => in_document(document, paths, at),
        Bson::Array(elements) => in_array(elements, paths, at),
        _ => false,
    }
}

fn in_array(elements: &mut [Bson], paths: &[FieldPath], at: usize) -> bool {
    let mut changed = false;
    for group in groups(paths, at) {
        let index = group[0].components().get(at).and_then(|component| component.index);
        let Some(value) = index.and_then(|index| elements.get_mut(index)) else { continue };
        if group[0].components().len() == at + 1 {
            changed |= !matches!(std::mem::replace(value, Bson::Null), Bson::Null);
        } else {
            changed |= in_value(value, group, at + 1);
        }
    }
    changed
}

/// The runs of paths with the same name at `at`; none of them is empty.
fn groups(paths: &[FieldPath], at: usize) -> impl Iterator<Item = &[FieldPath]> {
    paths.chunk_by(move |a, b| a.components().get(at) == b.components().get(at))
}
