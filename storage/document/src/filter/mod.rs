//! Which documents a query means.
//!
//! Invariants:
//! - A parsed filter is bounded: it came from a document within the limits of size and nesting, and evaluating it
//!   recurses no deeper than it and the tested document are nested.
//! - [`Filter::id_range`] may be wider than the matches and is never narrower.

mod equality;
mod expression;
mod id_range;
mod parse;
mod predicate;
mod value_set;

use std::fmt;

use bson::{Bson, Document};

pub use id_range::IdRange;

use crate::{DocumentError, MAX_FILTER_CONDITIONS};
use expression::Expression;

/// A query filter: `$eq $ne $gt $gte $lt $lte $in $nin $exists $and $or $nor $not`, equality by naming a value, dotted
/// paths, with MongoDB's meaning.
///
/// ```
/// use bson::doc;
/// use coffer_document::Filter;
/// let filter = Filter::parse(&doc! {"name": "eng", "parts.size": {"$gt": 5}})?;
/// assert!(filter.matches(&doc! {"name": "eng", "parts": [{"size": 3}, {"size": 9}]}));
/// assert!(!filter.matches(&doc! {"name": "eng", "parts": [{"size": 3}]}));
/// # Ok::<(), coffer_document::DocumentError>(())
/// ```
#[derive(Clone)]
pub struct Filter {
    root: Expression,
}

impl Filter {
    /// Reads a filter. The empty one matches every document.
    ///
    /// # Errors
    ///
    /// `BadValue` for an unknown or unsupported operator, for arguments of the wrong form, and for a path with more than
    /// [`crate::MAX_PATH_INDEXES`] array indexes, and for more than [`MAX_FILTER_CONDITIONS`] conditions; `Overflow` for a filter nested too deep or a path with more names than
    /// a document can be nested.
    pub fn parse(filter: &Document) -> Result<Self, DocumentError> {
        crate::decode::measure(filter)?;
        let root = parse::parse(filter)?;
        let conditions = root.conditions();
        if conditions > MAX_FILTER_CONDITIONS {
            return Err(DocumentError::bad_value(format!(
                "the filter has {conditions} conditions and may have {MAX_FILTER_CONDITIONS}: use $in for many values of \
                 one field, or several calls"
            )));
        }
        Ok(Self { root })
    }

    /// How many conditions a document is tested against at most: what a match costs, roughly.
    pub fn conditions(&self) -> usize {
        self.root.conditions()
    }

    /// Whether the filter has no conditions: it matches every document.
    pub fn is_empty(&self) -> bool {
        matches!(&self.root, Expression::And(parts) if parts.is_empty())
    }

    /// Whether `document` matches.
    pub fn matches(&self, document: &Document) -> bool {
        self.root.matches(document)
    }

    /// Where matches can be: keys of `_id`, as [`crate::encode_key`] makes them.
    pub fn id_range(&self) -> IdRange {
        id_range::of(&self.root)
    }

    /// The fields that every match holds with exactly this value, in the order of the filter: dotted paths and values.
    /// An upsert starts its document with them.
    ///
    /// # Errors
    ///
    /// `NotSingleValueField` if a path is fixed twice, or one path lies within another.
    pub fn equality_fields(&self) -> Result<Vec<(String, Bson)>, DocumentError> {
        equality::fields(&self.root)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
