//! The classes of types that compare with each other; values of different classes are ordered by class alone.

use bson::Bson;

/// A class of BSON types, in ascending order. The numbers are the first byte of an encoded key and so are part of the
/// format on disk: gaps are for types to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum TypeClass {
    MinKey = 0x08,
    Undefined = 0x10,
    Null = 0x18,
    Number = 0x20,
    String = 0x28,
    Document = 0x30,
    Array = 0x38,
    Binary = 0x40,
    ObjectId = 0x48,
    Boolean = 0x50,
    DateTime = 0x58,
    Timestamp = 0x60,
    RegularExpression = 0x68,
    DbPointer = 0x70,
    JavaScriptCode = 0x78,
    JavaScriptCodeWithScope = 0x80,
    MaxKey = 0xF0,
}

impl TypeClass {
    /// The class of `value`.
    pub(crate) fn of(value: &Bson) -> Self {
        match value {
            Bson::MinKey => Self::MinKey,
            Bson::Undefined => Self::Undefined,
            Bson::Null => Self::Null,
            Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => Self::Number,
            Bson::String(_) | Bson::Symbol(_) => Self::String,
            Bson::Document(_) => Self::Document,
            Bson::Array(_) => Self::Array,
            Bson::Binary(_) => Self::Binary,
            Bson::ObjectId(_) => Self::ObjectId,
            Bson::Boolean(_) => Self::Boolean,
            Bson::DateTime(_) => Self::DateTime,
            Bson::Timestamp(_) => Self::Timestamp,
            Bson::RegularExpression(_) => Self::RegularExpression,
            Bson::DbPointer(_) => Self::DbPointer,
            Bson::JavaScriptCode(_) => Self::JavaScriptCode,
            Bson::JavaScriptCodeWithScope(_) => Self::JavaScriptCodeWithScope,
            Bson::MaxKey => Self::MaxKey,
        }
    }

    /// The byte that stands for the class in a key.
    pub(crate) fn tag(self) -> u8 {
        self as u8
    }
}

/// MongoDB's name of the type of `value`, for messages.
pub(crate) fn type_name(value: &Bson) -> &'static str {
    match value {
        Bson::MinKey => "minKey",
        Bson::Undefined => "undefined",
        Bson::Null => "null",
        Bson::Int32(_) => "int",
        Bson::Int64(_) => "long",
        Bson::Double(_) => "double",
        Bson::Decimal128(_) => "decimal",
        Bson::String(_) => "string",
        Bson::Symbol(_) => "symbol",
        Bson::Document(_) => "object",
        Bson::Array(_) => "array",
        Bson::Binary(_) => "binData",
        Bson::ObjectId(_) => "objectId",
        Bson::Boolean(_) => "bool",
        Bson::DateTime(_) => "date",
        Bson::Timestamp(_) => "timestamp",
        Bson::RegularExpression(_) => "regex",
        Bson::DbPointer(_) => "dbPointer",
        Bson::JavaScriptCode(_) => "javascript",
        Bson::JavaScriptCodeWithScope(_) => "javascriptWithScope",
        Bson::MaxKey => "maxKey",
    }
}
