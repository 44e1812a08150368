//! What an update makes of a document.
//!
//! Invariants:
//! - The result depends on the update and the document alone, the order of added fields included: operators are
//!   applied in the order of their paths and not in that of the request (as MongoDB does since 5.0).
//! - A document comes out whole or not at all: an error leaves the given one as it was.
//! - `_id` never changes its value, and stays first.
//! - What comes out could have been inserted: limits, names and `_id` are checked again.

mod arguments;
mod operation;
mod operators;
mod parse;
mod removal;
mod upsert;
mod walk;

use std::fmt;

use bson::{Document, oid::ObjectId};

use crate::{
    DocumentError, Filter,
    compare::{compare, identical_documents},
    decode::check_storable,
    insert::with_id_first,
};
use operators::Operators;

/// A parsed update: a whole document that replaces, or `$set`, `$unset`, `$inc` and `$push` on dotted paths.
///
/// ```
/// use bson::doc;
/// use coffer_document::{Update, Updated};
/// let update = Update::parse(&doc! {"$inc": {"count": 1}, "$push": {"seen": "now"}})?;
/// let Updated::Changed(document) = update.apply(&doc! {"_id": 1, "count": 2})? else { panic!("unchanged") };
/// assert_eq!(document, doc! {"_id": 1, "count": 3, "seen": ["now"]});
/// # Ok::<(), coffer_document::DocumentError>(())
/// ```
#[derive(Clone)]
pub struct Update {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Replacement(Document),
    Operators(Operators),
}

/// What [`Update::apply`] made of a document.
#[derive(Clone, PartialEq)]
pub enum Updated {
    /// The document is to the bit what it was; nothing needs to be written.
    Unchanged,
    /// The document as it is now.
    Changed(Document),
}

impl Update {
    /// Reads an update: operators if the first name starts with `$`, else a replacement.
    ///
    /// # Errors
    ///
    /// `FailedToParse` for unknown operators and arguments of the wrong form; `ConflictingUpdateOperators` if a path is
    /// touched twice or lies within another; `EmptyFieldName`, `DollarPrefixedFieldName` for paths that cannot be
    /// stored; `TypeMismatch` for an `$inc` by something else than a number; `BadValue` for what is not supported;
    /// `Overflow` for values nested too deep.
    pub fn parse(update: &Document) -> Result<Self, DocumentError> {
        crate::decode::measure(update)?;
        let is_operators = update.keys().next().is_some_and(|name| name.starts_with('$'));
        let kind = if is_operators {
            Kind::Operators(parse::operators(update)?)
        } else {
            Kind::Replacement(parse::replacement(update)?)
        };
        Ok(Self { kind })
    }

    /// Whether it replaces whole documents.
    pub fn is_replacement(&self) -> bool {
        matches!(self.kind, Kind::Replacement(_))
    }

    /// Checks that the update may be applied to several documents.
    ///
    /// # Errors
    ///
    /// `FailedToParse` for a replacement.
    pub fn check_multi(&self) -> Result<(), DocumentError> {
        if self.is_replacement() {
            return Err(DocumentError::failed_to_parse(
                "multi update is not supported for replacement-style update; use operators such as $set",
            ));
        }
        Ok(())
    }

    /// Applies the update to a stored document.
    ///
    /// # Errors
    ///
    /// `ImmutableField` if `_id` would change; `PathNotViable` if a path runs through a value without fields;
    /// `TypeMismatch` and `BadValue` if a field has the wrong type for an operator or a sum does not fit;
    /// `CannotBackfillArray` if an index is too far past the end; 17419 if the result is too large, `Overflow` if it is
    /// nested too deep, `DollarPrefixedFieldName` and `InvalidIdField` if it cannot be stored.
    pub fn apply(&self, document: &Document) -> Result<Updated, DocumentError> {
        let updated = match &self.kind {
            Kind::Replacement(replacement) => replace(document, replacement)?,
            Kind::Operators(operators) => {
                let mut updated = document.clone();
                if !operators.apply(&mut updated)? {
                    return Ok(Updated::Unchanged);
                }
                check_id_kept(document, &updated)?;
                updated
            }
        };
        if identical_documents(document, &updated) {
            return Ok(Updated::Unchanged);
        }
        check_storable(&updated, DocumentError::updated_too_large)?;
        Ok(Updated::Changed(updated))
    }

    /// The document to insert where `filter` matched none: the fields that the filter fixes, then the update, then
    /// `generated_id` if neither gave an `_id`. The leader makes that id before the command is replicated.
    ///
    /// # Errors
    ///
    /// Those of [`Update::apply`]; `NotSingleValueField` if the filter fixes a path twice; `NotExactValueField` if it
    /// fixes a part of `_id` only and the update is a replacement.
    pub fn upsert(&self, filter: &Filter, generated_id: ObjectId) -> Result<Document, DocumentError> {
        let document = match &self.kind {
            Kind::Replacement(replacement) => upsert::by_replacement(replacement, filter, generated_id)?,
            Kind::Operators(operators) => upsert::by_operators(operators, filter, generated_id)?,
        };
        check_storable(&document, DocumentError::updated_too_large)?;
        Ok(document)
    }
}

/// The replacement with the `_id` of the document that it replaces.
fn replace(document: &Document, replacement: &Document) -> Result<Document, DocumentError> {
    let mut rest = replacement.clone();
    match (document.get("_id"), rest.remove("_id")) {
        (Some(old), Some(new)) if compare(old, &new).is_ne() => Err(DocumentError::immutable_field(
            "After applying the update, the (immutable) field '_id' was found to have been altered; leave it out of the \
             replacement or insert a new document",
        )),
        (_, Some(id)) => Ok(with_id_first(id, rest)),
        (Some(id), None) => Ok(with_id_first(id.clone(), rest)),
        (None, None) => Ok(rest),
    }
}

/// Refuses an update that changed the value of an `_id` that was there.
fn check_id_kept(before: &Document, after: &Document) -> Result<(), DocumentError> {
    let Some(old) = before.get("_id") else { return Ok(()) };
    if after.get("_id").is_some_and(|new| compare(old, new).is_eq()) {
        return Ok(());
    }
    Err(DocumentError::immutable_field(
        "Performing an update on the path '_id' would modify the immutable field '_id'",
    ))
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update").field("is_replacement", &self.is_replacement()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Updated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchanged => "Unchanged",
            Self::Changed(_) => "Changed(..)",
        })
    }
}

#[cfg(test)]
mod tests;
