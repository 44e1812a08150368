//! The one error of this crate, as a MongoDB client expects it: a number, its name, a sentence.
//!
//! Invariants:
//! - A message names fields and operators that the caller sent and never a value of a document.
//! - `Debug` leaves the message out, so that an error that slips into a log carries no field name. `Display` is for
//!   the caller of the query alone.

use std::fmt;

/// Numbers of MongoDB's errors (`src/mongo/base/error_codes.yml`), so that its drivers and users are at home.
pub mod code {
    /// An argument that makes no sense.
    pub const BAD_VALUE: i32 = 2;
    /// A query, update or other specification that cannot be read.
    pub const FAILED_TO_PARSE: i32 = 9;
    /// A value of a type on which the operation is not defined.
    pub const TYPE_MISMATCH: i32 = 14;
    /// A limit of nesting was passed.
    pub const OVERFLOW: i32 = 15;
    /// Something that is never allowed, whoever asks.
    pub const ILLEGAL_OPERATION: i32 = 20;
    /// Bytes that are not BSON.
    pub const INVALID_BSON: i32 = 22;
    /// No such database or collection.
    pub const NAMESPACE_NOT_FOUND: i32 = 26;
    /// A path that runs through a value that has no fields.
    pub const PATH_NOT_VIABLE: i32 = 28;
    /// Two parts of one update that touch the same path.
    pub const CONFLICTING_UPDATE_OPERATORS: i32 = 40;
    /// The collection is there already.
    pub const NAMESPACE_EXISTS: i32 = 48;
    /// A stored field name that starts with a dollar sign.
    pub const DOLLAR_PREFIXED_FIELD_NAME: i32 = 52;
    /// An `_id` of a type that cannot be one.
    pub const INVALID_ID_FIELD: i32 = 53;
    /// An upsert whose filter names one path twice.
    pub const NOT_SINGLE_VALUE_FIELD: i32 = 54;
    /// A path with an empty component.
    pub const EMPTY_FIELD_NAME: i32 = 56;
    /// An update that would change `_id`.
    pub const IMMUTABLE_FIELD: i32 = 66;
    /// A name that no database or collection may have.
    pub const INVALID_NAMESPACE: i32 = 73;
    /// An upsert whose filter fixes only a part of `_id`.
    pub const NOT_EXACT_VALUE_FIELD: i32 = 111;
    /// An array index too far beyond the end.
    pub const CANNOT_BACKFILL_ARRAY: i32 = 161;
    /// A key of an index is taken.
    pub const DUPLICATE_KEY: i32 = 11000;
    /// A document past its size limit.
    pub const BSON_OBJECT_TOO_LARGE: i32 = 10334;
    /// More sort fields than allowed.
    pub const TOO_MANY_SORT_FIELDS: i32 = 13103;
    /// A sort direction that is not a number.
    pub const SORT_ORDER_TYPE: i32 = 15974;
    /// A sort direction other than 1 and -1.
    pub const SORT_ORDER_VALUE: i32 = 15975;
    /// A path with an empty component, in a projection or a sort.
    pub const PATH_EMPTY_COMPONENT: i32 = 15998;
    /// A path with a component that starts with a dollar sign, in a projection or a sort.
    pub const PATH_DOLLAR_COMPONENT: i32 = 16410;
    /// A key too long to be stored.
    pub const KEY_TOO_LONG: i32 = 17280;
    /// An updated document past its size limit.
    pub const UPDATED_TOO_LARGE: i32 = 17419;
    /// Two projected paths of which one holds the other.
    pub const PROJECTION_COLLISION: i32 = 31250;
    /// An included field in an excluding projection.
    pub const INCLUSION_IN_EXCLUSION: i32 = 31253;
    /// An excluded field in an including projection.
    pub const EXCLUSION_IN_INCLUSION: i32 = 31254;
    /// An empty sub-projection.
    pub const PROJECTION_EMPTY: i32 = 51270;
}

/// Why a document, filter, update, projection, sort, key or name was refused.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DocumentError {
    /// MongoDB's number of the error, one of [`code`].
    pub code: i32,
    /// MongoDB's name of the number; `Location<number>` where MongoDB has given it none.
    pub code_name: &'static str,
    /// What was wrong, for the caller who sent it: may name the fields that they sent.
    pub message: String,
}

impl fmt::Debug for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentError")
            .field("code", &self.code)
            .field("code_name", &self.code_name)
            .finish_non_exhaustive()
    }
}

/// Makes one constructor per code, each with its name.
macro_rules! constructors {
    ($($(#[$doc:meta])* $function:ident, $code:ident, $name:literal;)+) => {
        impl DocumentError {
            $(
                $(#[$doc])*
                pub fn $function(message: impl Into<String>) -> Self {
                    Self { code: code::$code, code_name: $name, message: message.into() }
                }
            )+
        }

        #[cfg(test)]
        const NAMES: &[(i32, &str)] = &[$((code::$code, $name)),+];
    };
}

constructors! {
    /// [`code::BAD_VALUE`].
    bad_value, BAD_VALUE, "BadValue";
    /// [`code::FAILED_TO_PARSE`].
    failed_to_parse, FAILED_TO_PARSE, "FailedToParse";
    /// [`code::TYPE_MISMATCH`].
    type_mismatch, TYPE_MISMATCH, "TypeMismatch";
    /// [`code::OVERFLOW`].
    overflow, OVERFLOW, "Overflow";
    /// [`code::ILLEGAL_OPERATION`].
    illegal_operation, ILLEGAL_OPERATION, "IllegalOperation";
    /// [`code::INVALID_BSON`].
    invalid_bson, INVALID_BSON, "InvalidBSON";
    /// [`code::NAMESPACE_NOT_FOUND`].
    namespace_not_found, NAMESPACE_NOT_FOUND, "NamespaceNotFound";
    /// [`code::PATH_NOT_VIABLE`].
    path_not_viable, PATH_NOT_VIABLE, "PathNotViable";
    /// [`code::CONFLICTING_UPDATE_OPERATORS`].
    conflicting_update_operators, CONFLICTING_UPDATE_OPERATORS, "ConflictingUpdateOperators";
    /// [`code::NAMESPACE_EXISTS`].
    namespace_exists, NAMESPACE_EXISTS, "NamespaceExists";
    /// [`code::DOLLAR_PREFIXED_FIELD_NAME`].
    dollar_prefixed_field_name, DOLLAR_PREFIXED_FIELD_NAME, "DollarPrefixedFieldName";
    /// [`code::INVALID_ID_FIELD`].
    invalid_id_field, INVALID_ID_FIELD, "InvalidIdField";
    /// [`code::NOT_SINGLE_VALUE_FIELD`].
    not_single_value_field, NOT_SINGLE_VALUE_FIELD, "NotSingleValueField";
    /// [`code::EMPTY_FIELD_NAME`].
    empty_field_name, EMPTY_FIELD_NAME, "EmptyFieldName";
    /// [`code::IMMUTABLE_FIELD`].
    immutable_field, IMMUTABLE_FIELD, "ImmutableField";
    /// [`code::INVALID_NAMESPACE`].
    invalid_namespace, INVALID_NAMESPACE, "InvalidNamespace";
    /// [`code::NOT_EXACT_VALUE_FIELD`].
    not_exact_value_field, NOT_EXACT_VALUE_FIELD, "NotExactValueField";
    /// [`code::CANNOT_BACKFILL_ARRAY`].
    cannot_backfill_array, CANNOT_BACKFILL_ARRAY, "CannotBackfillArray";
    /// [`code::DUPLICATE_KEY`].
    duplicate_key, DUPLICATE_KEY, "DuplicateKey";
    /// [`code::BSON_OBJECT_TOO_LARGE`].
    bson_object_too_large, BSON_OBJECT_TOO_LARGE, "BSONObjectTooLarge";
    /// [`code::TOO_MANY_SORT_FIELDS`].
    too_many_sort_fields, TOO_MANY_SORT_FIELDS, "Location13103";
    /// [`code::SORT_ORDER_TYPE`].
    sort_order_type, SORT_ORDER_TYPE, "Location15974";
    /// [`code::SORT_ORDER_VALUE`].
    sort_order_value, SORT_ORDER_VALUE, "Location15975";
    /// [`code::PATH_EMPTY_COMPONENT`].
    path_empty_component, PATH_EMPTY_COMPONENT, "Location15998";
    /// [`code::PATH_DOLLAR_COMPONENT`].
    path_dollar_component, PATH_DOLLAR_COMPONENT, "Location16410";
    /// [`code::KEY_TOO_LONG`].
    key_too_long, KEY_TOO_LONG, "KeyTooLong";
    /// [`code::UPDATED_TOO_LARGE`].
    updated_too_large, UPDATED_TOO_LARGE, "Location17419";
    /// [`code::PROJECTION_COLLISION`].
    projection_collision, PROJECTION_COLLISION, "Location31250";
    /// [`code::INCLUSION_IN_EXCLUSION`].
    inclusion_in_exclusion, INCLUSION_IN_EXCLUSION, "Location31253";
    /// [`code::EXCLUSION_IN_INCLUSION`].
    exclusion_in_inclusion, EXCLUSION_IN_INCLUSION, "Location31254";
    /// [`code::PROJECTION_EMPTY`].
    projection_empty, PROJECTION_EMPTY, "Location51270";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_leaves_the_message_out() {
        let error = DocumentError::bad_value("the field 'marker' is wrong");
        assert!(error.to_string().contains("marker"));
        assert_eq!(format!("{error:?}"), "DocumentError { code: 2, code_name: \"BadValue\", .. }");
    }

    #[test]
    fn unnamed_codes_are_named_by_their_number() {
        for (code, name) in NAMES {
            if let Some(number) = name.strip_prefix("Location") {
                assert_eq!(number, code.to_string());
            }
        }
        let mut codes: Vec<i32> = NAMES.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), NAMES.len(), "one constructor per code");
    }
}
