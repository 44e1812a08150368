//! What of a document is shown.
//!
//! Invariant: fields keep the order of the document, whatever the order of the projection.

mod parse;
mod tree;

use std::fmt;

use bson::Document;

use crate::DocumentError;
use tree::Tree;

/// A projection: fields included (`{a: 1, "b.c": 1}`) or excluded (`{a: 0}`), with `_id` as the one exception that may
/// be excluded from an inclusion or named in an exclusion.
///
/// ```
/// use bson::doc;
/// use coffer_document::Projection;
/// let projection = Projection::parse(&doc! {"_id": 0, "a.b": 1})?;
/// let document = doc! {"_id": 1, "a": [{"b": 1, "c": 2}, {"b": 3}], "d": 4};
/// assert_eq!(projection.apply(&document), doc! {"a": [{"b": 1}, {"b": 3}]});
/// # Ok::<(), coffer_document::DocumentError>(())
/// ```
#[derive(Clone)]
pub struct Projection {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// The empty projection.
    Everything,
    Include(Tree),
    Exclude(Tree),
}

impl Projection {
    /// Reads a projection. The empty one shows everything.
    ///
    /// # Errors
    ///
    /// 31254 and 31253 for inclusion and exclusion mixed; 31250 if one path lies within another; 15998, 16410 and 51270
    /// for paths and sub-projections that make no sense; `BadValue` for expressions and operators; `Overflow` for a
    /// path with more names than documents may be nested.
    pub fn parse(projection: &Document) -> Result<Self, DocumentError> {
        crate::decode::measure(projection)?;
        Ok(Self { kind: parse::parse(projection)? })
    }

    /// What is shown of `document`. Paths run through arrays: each document in one is projected; of an inclusion whose
    /// path goes on, values without fields are left out.
    pub fn apply(&self, document: &Document) -> Document {
        match &self.kind {
            Kind::Everything => document.clone(),
            Kind::Include(tree) => tree.include(document),
            Kind::Exclude(tree) => tree.exclude(document),
        }
    }
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
