//! The length that a document will have as BSON, without writing it.

use bson::{Bson, Document, spec::BinarySubtype};

use crate::{DocumentError, db_pointer, limits::MAX_NESTING};

/// The bytes of `document` as BSON.
///
/// # Errors
///
/// `Overflow` if it is nested deeper than [`MAX_NESTING`], so that it is safe to call first on a document of unknown
/// depth.
pub(crate) fn measure(document: &Document) -> Result<usize, DocumentError> {
    measure_document(document, 1)
}

fn measure_document(document: &Document, level: usize) -> Result<usize, DocumentError> {
    check_level(level)?;
    let mut length = 5;
    for (name, value) in document {
        length += 1 + name.len() + 1 + measure_value(value, level)?;
    }
    Ok(length)
}

fn measure_value(value: &Bson, level: usize) -> Result<usize, DocumentError> {
    Ok(match value {
        Bson::MinKey | Bson::Undefined | Bson::Null | Bson::MaxKey => 0,
        Bson::Boolean(_) => 1,
        Bson::Int32(_) => 4,
        Bson::Int64(_) | Bson::Double(_) | Bson::DateTime(_) | Bson::Timestamp(_) => 8,
        Bson::ObjectId(_) => 12,
        Bson::Decimal128(_) => 16,
        Bson::String(text) | Bson::Symbol(text) | Bson::JavaScriptCode(text) => 4 + text.len() + 1,
        Bson::Binary(binary) => {
            let inner_length = if binary.subtype == BinarySubtype::BinaryOld { 4 } else { 0 };
            4 + 1 + inner_length + binary.bytes.len()
        }
        Bson::RegularExpression(regex) => regex.pattern.as_str().len() + 1 + regex.options.as_str().len() + 1,
        Bson::DbPointer(_) => 4 + db_pointer::parts(value).0.len() + 1 + 12,
        Bson::Document(document) => measure_document(document, level + 1)?,
        Bson::Array(elements) => {
            check_level(level + 1)?;
            let mut length = 5;
            for (index, element) in elements.iter().enumerate() {
                let digits = index.checked_ilog10().unwrap_or(0) as usize + 1;
                length += 1 + digits + 1 + measure_value(element, level + 1)?;
            }
            length
        }
        Bson::JavaScriptCodeWithScope(code) => {
            4 + 4 + code.code.len() + 1 + measure_document(&code.scope, level + 1)?
        }
    })
}

fn check_level(level: usize) -> Result<(), DocumentError> {
    if level > MAX_NESTING {
        return Err(DocumentError::overflow(format!(
            "the document is nested deeper than {MAX_NESTING} levels"
        )));
    }
    Ok(())
}
