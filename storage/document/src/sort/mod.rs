//! The order in which documents are shown.
//!
//! Invariant: [`Sort::compare`] and the order of [`Sort::key`]s are the same.

mod keys;
mod sort_key;

use std::{cmp::Ordering, fmt};

use bson::{Bson, Document};

pub use sort_key::SortKey;

use crate::{
    DocumentError,
    compare::{compare, type_name},
    limits::MAX_SORT_FIELDS,
    number::{Decimal, Number, compare_numbers},
    path::{FieldPath, check_expression_path},
};

/// A sort by one or more dotted paths, each ascending (1) or descending (-1).
///
/// A missing field sorts as null, an empty array before it. An array sorts by its least element when ascending and by
/// its greatest when descending. Fields that run through the same array take their values from the same element.
#[derive(Clone)]
pub struct Sort {
    fields: Vec<SortField>,
}

#[derive(Clone)]
struct SortField {
    path: FieldPath,
    ascending: bool,
}

impl SortField {
    fn direct(&self, order: Ordering) -> Ordering {
        if self.ascending { order } else { order.reverse() }
    }
}

impl Sort {
    /// Reads a sort. The empty one leaves the order as it is.
    ///
    /// # Errors
    ///
    /// 15974 and 15975 for a direction other than 1 and -1; 15998 and 16410 for paths that make no sense; 13103 for more
    /// than [`MAX_SORT_FIELDS`] fields.
    pub fn parse(sort: &Document) -> Result<Self, DocumentError> {
        crate::decode::measure(sort)?;
        if sort.len() > MAX_SORT_FIELDS {
            return Err(DocumentError::too_many_sort_fields(format!(
                "too many compound keys: the sort has {} fields, at most {MAX_SORT_FIELDS} are allowed",
                sort.len()
            )));
        }
        let mut fields = Vec::with_capacity(sort.len());
        for (name, value) in sort {
            let path = check_expression_path(name)?;
            fields.push(SortField { path, ascending: is_ascending(name, value)? });
        }
        Ok(Self { fields })
    }

    /// The order of two documents.
    pub fn compare(&self, a: &Document, b: &Document) -> Ordering {
        let a = keys::values(a, &self.fields);
        let b = keys::values(b, &self.fields);
        self.fields
            .iter()
            .zip(a.iter().zip(b))
            .map(|(field, (a, b))| field.direct(compare(a, b)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// What `document` sorts by, as bytes: cheaper than [`Sort::compare`] where each document is compared many times.
    pub fn key(&self, document: &Document) -> SortKey {
        let values = keys::values(document, &self.fields);
        SortKey::new(values.into_iter().zip(self.fields.iter().map(|field| field.ascending)))
    }

    /// `Some(ascending)` if the order is that of `_id` alone, which the store has anyway: `_id` comes first, and as no
    /// two documents share one, whatever follows decides nothing.
    pub fn is_id_only(&self) -> Option<bool> {
        self.fields.first().filter(|field| field.path.text() == "_id").map(|field| field.ascending)
    }

    /// Whether the sort has no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

fn is_ascending(name: &str, value: &Bson) -> Result<bool, DocumentError> {
    let Some(number) = Number::of(value) else {
        return Err(DocumentError::sort_order_type(format!(
            "$sort key ordering must be specified using a number: that of '{name}' is of type {}",
            type_name(value)
        )));
    };
    let is = |direction| compare_numbers(number, Number::Decimal(Decimal::from_int(direction))).is_eq();
    if is(1) {
        Ok(true)
    } else if is(-1) {
        Ok(false)
    } else {
        Err(DocumentError::sort_order_value(format!(
            "$sort key ordering must be 1 (for ascending) or -1 (for descending): that of '{name}' is neither"
        )))
    }
}

impl fmt::Debug for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sort").field("fields", &self.fields.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
