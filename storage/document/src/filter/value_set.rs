//! The values of an `$in`.

use bson::Bson;

use crate::compare::compare;

/// A set of values, equal as [`compare()`] has it.
///
/// Invariant: ascending, without equals, so that a large `$in` is searched and not gone through.
#[derive(Clone)]
pub(super) struct ValueSet {
    ascending: Vec<Bson>,
}

impl ValueSet {
    pub(super) fn new(mut values: Vec<Bson>) -> Self {
        values.sort_by(compare);
        values.dedup_by(|a, b| compare(a, b).is_eq());
        Self { ascending: values }
    }

    pub(super) fn contains(&self, value: &Bson) -> bool {
        self.ascending.binary_search_by(|member| compare(member, value)).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Bson> {
        self.ascending.iter()
    }
}
