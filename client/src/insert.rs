//! What an insert takes and answers.

use bson::Bson;

/// A document that was not inserted, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteError {
    /// Its position among the documents of the call.
    pub index: usize,
    /// MongoDB's error number, such as 11000 for a duplicate `_id`.
    pub code: i32,
    /// The name of the number.
    pub code_name: String,
    /// What was wrong, for a person.
    pub message: String,
}

impl WriteError {
    /// MongoDB's number for a duplicate key.
    pub const DUPLICATE_KEY: i32 = 11000;
}

/// How several documents are inserted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InsertManyOptions {
    /// True: go on after a document that was refused. False: stop at the first.
    pub unordered: bool,
}

/// The answer to one inserted document.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertOneResult {
    /// Its `_id`, made by the driver where the document had none.
    pub id: Bson,
    /// The log index of the insert.
    pub applied_index: u64,
}

/// The answer to several inserted documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InsertManyResult {
    /// How many were inserted.
    pub inserted: u64,
    /// The `_id` of each document of the call, in order, also of those that were refused or not tried.
    pub ids: Vec<Bson>,
    /// What was refused. With `unordered` false at most one; later documents were then not tried.
    pub errors: Vec<WriteError>,
    /// The log index of the last change.
    pub applied_index: u64,
}
