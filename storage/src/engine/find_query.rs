//! What a find asks for.

use bson::Document;
use coffer_keyring::DatabaseId;

use super::Cancel;

/// A find, as its caller sent it.
#[derive(Clone)]
pub struct FindQuery {
    /// The database.
    pub database: DatabaseId,
    /// The collection; one that does not exist is empty.
    pub collection: String,
    /// Which documents.
    pub filter: Document,
    /// What to show of them; `None` for everything.
    pub projection: Option<Document>,
    /// In which order; `None` for the order of `_id`.
    pub sort: Option<Document>,
    /// How many to leave out at the beginning.
    pub skip: u64,
    /// How many to answer at most; 0 for all.
    pub limit: u64,
    /// Ends the find before its end.
    pub cancel: Cancel,
}
