//! What documents mean in Coffer, which is what they mean in MongoDB: how values compare and are ordered in bytes, which
//! documents a filter matches, what an update makes of one, what a projection shows, how a sort orders.
//!
//! Invariants:
//! - Pure code: no I/O, no clock, no randomness, no unordered maps. Every member evaluates the same commands and must
//!   come to the same bytes.
//! - Nothing sent by a client makes it panic or recurse without bound: documents are nested at most [`MAX_NESTING`]
//!   deep, and the parsers of filters, updates, projections and sorts refuse what is deeper.
//! - Content does not leak: `Debug` of errors, filters and the rest shows no names and no values.
//!
//! | module | room |
//! | --- | --- |
//! | [`compare()`] | the order of all values |
//! | [`encode_key`] | the same order in bytes |
//! | [`decode_document`], [`validate_document`] | from hostile bytes to a document |
//! | [`validate_namespace`] | names of databases and collections |
//! | [`Filter`] | which documents, and in which range of `_id` to look for them |
//! | [`Update`] | replacement, `$set`, `$unset`, `$inc`, `$push`, upsert |
//! | [`Projection`], [`Sort`] | what is shown, in which order |
//! | [`DocumentError`] | MongoDB's error codes |

#![forbid(unsafe_code)]

mod compare;
mod db_pointer;
mod decode;
mod error;
mod filter;
mod insert;
mod key_encoding;
mod limits;
mod names;
mod number;
mod path;
mod projection;
mod sort;
#[cfg(test)]
mod testing;
mod update;

pub use compare::compare;
pub use decode::{decode_document, validate_document};
pub use error::{DocumentError, code};
pub use filter::{Filter, IdRange};
pub use insert::prepare_insert;
pub use key_encoding::encode_key;
pub use limits::{
    MAX_ARRAY_PADDING, MAX_BATCH_BYTES, MAX_BATCH_DOCUMENTS, MAX_DATABASE_NAME_BYTES, MAX_DOCUMENT_BYTES,
    MAX_FILTER_CONDITIONS, MAX_KEY_BYTES, MAX_NAMESPACE_BYTES, MAX_NESTING, MAX_PATH_INDEXES,
    MAX_SORT_FIELDS,
};
pub use names::{RESERVED_DATABASES, validate_collection_name, validate_database_name, validate_namespace};
pub use projection::Projection;
pub use sort::{Sort, SortKey};
pub use update::{Update, Updated};
