//! The limits of documents and batches, with their sources.

/// Largest document, in bytes of BSON: 16 MiB, MongoDB's "BSON Document Size" limit.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// Most levels of documents and arrays in each other, the document itself being the first: MongoDB's "Nested Depth for
/// BSON Documents". It bounds every recursion in this crate.
pub const MAX_NESTING: usize = 100;

/// Largest batch of writes in bytes: MongoDB's `maxMessageSizeBytes`.
pub const MAX_BATCH_BYTES: usize = 48_000_000;

/// Most documents or operations in one batch: MongoDB's `maxWriteBatchSize`.
pub const MAX_BATCH_DOCUMENTS: usize = 100_000;

/// Longest encoded key in bytes. MongoDB sets no limit of its own since 4.2; here a key is copied into index blocks
/// and bounds of files, so one that nears the size of a document is refused.
pub const MAX_KEY_BYTES: usize = 1024 * 1024;

/// Longest name of a database in bytes: MongoDB's "Length of Database Names".
pub const MAX_DATABASE_NAME_BYTES: usize = 63;

/// Longest `database.collection` in bytes: MongoDB's "Namespace Length".
pub const MAX_NAMESPACE_BYTES: usize = 255;

/// Farthest that an update may lengthen an array by an index past its end: MongoDB's
/// `mutablebson::kMaxPaddingAllowed`.
pub const MAX_ARRAY_PADDING: usize = 1_500_000;

/// Most fields in a sort: MongoDB's limit on fields of a compound index, which its sort shares.
pub const MAX_SORT_FIELDS: usize = 32;

/// Most names of a filter's path that can be array indexes. Each may be an index or a name, so that the ways through a
/// document that was made for it double with each; this many are done in no time.
pub const MAX_PATH_INDEXES: usize = 10;

/// Conditions of a filter at most; the members of an `$in` count as one. Every document that is looked at is tested against all
/// of them, on every member where a write carries the filter.
pub const MAX_FILTER_CONDITIONS: usize = 1000;
