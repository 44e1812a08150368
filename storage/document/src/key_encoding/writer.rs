//! Writes keys under a limit of length and depth.

use bson::{Bson, Document};

use super::number::write_number;
use crate::{
    DocumentError,
    compare::{TypeClass, binary_length},
    db_pointer,
    number::Number,
};

/// Ends a document or an array; below every tag, so that the shorter one is the lesser.
const END: u8 = 0x00;

/// Builds one key, or several in a row.
pub(crate) struct KeyWriter {
    bytes: Vec<u8>,
    max_bytes: usize,
    max_nesting: usize,
}

impl KeyWriter {
    /// A writer that refuses to pass `max_bytes` in all or `max_nesting` levels of documents and arrays.
    pub(crate) fn new(max_bytes: usize, max_nesting: usize) -> Self {
        Self { bytes: Vec::with_capacity(16), max_bytes, max_nesting }
    }

    /// Appends the key of `value`.
    pub(crate) fn write(&mut self, value: &Bson) -> Result<(), DocumentError> {
        self.write_tag(value)?;
        self.write_body(value, 0)
    }

    /// Complements what was written from `start` on, which reverses its order.
    pub(crate) fn complement_from(&mut self, start: usize) {
        for byte in &mut self.bytes[start..] {
            *byte = !*byte;
        }
    }

    /// Bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn write_tag(&mut self, value: &Bson) -> Result<(), DocumentError> {
        self.push(&[TypeClass::of(value).tag()])
    }

    fn write_body(&mut self, value: &Bson, depth: usize) -> Result<(), DocumentError> {
        match value {
            Bson::MinKey | Bson::Undefined | Bson::Null | Bson::MaxKey => Ok(()),
            Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Decimal128(_) => {
                let number = Number::of(value).expect("these four types are numbers");
                write_number(&mut self.bytes, number);
                self.check_length(0)
            }
            Bson::String(text) | Bson::Symbol(text) | Bson::JavaScriptCode(text) => {
                self.write_text(text.as_bytes())
            }
            Bson::Document(document) => self.write_document(document, depth),
            Bson::Array(elements) => {
                self.check_depth(depth)?;
                for element in elements {
                    self.write_tag(element)?;
                    self.write_body(element, depth + 1)?;
                }
                self.push(&[END])
            }
            Bson::Binary(binary) => {
                self.write_length(binary_length(binary))?;
                self.push(&[binary.subtype.into()])?;
                self.push(&binary.bytes)
            }
            Bson::ObjectId(id) => self.push(&id.bytes()),
            Bson::Boolean(value) => self.push(&[u8::from(*value)]),
            Bson::DateTime(date) => self.push(&((date.timestamp_millis() as u64) ^ (1 << 63)).to_be_bytes()),
            Bson::Timestamp(timestamp) => {
                self.push(&timestamp.time.to_be_bytes())?;
                self.push(&timestamp.increment.to_be_bytes())
            }
            Bson::RegularExpression(regex) => {
                self.write_text(regex.pattern.as_str().as_bytes())?;
                self.write_text(regex.options.as_str().as_bytes())
            }
            Bson::DbPointer(_) => {
                let (namespace, id) = db_pointer::parts(value);
                self.write_length(namespace.len())?;
                self.push(&namespace)?;
                self.push(&id)
            }
            Bson::JavaScriptCodeWithScope(code) => {
                self.write_text(code.code.as_bytes())?;
                self.write_document(&code.scope, depth)
            }
        }
    }

    fn write_document(&mut self, document: &Document, depth: usize) -> Result<(), DocumentError> {
        self.check_depth(depth)?;
        for (name, value) in document {
            self.write_tag(value)?;
            self.write_text(name.as_bytes())?;
            self.write_body(value, depth + 1)?;
        }
        self.push(&[END])
    }

    fn write_text(&mut self, text: &[u8]) -> Result<(), DocumentError> {
        self.check_length(text.len())?;
        for (i, run) in text.split(|byte| *byte == 0).enumerate() {
            if i > 0 {
                self.bytes.extend([0x00, 0xFF]);
            }
            self.bytes.extend(run);
        }
        self.push(&[0x00, 0x00])
    }

    fn write_length(&mut self, length: usize) -> Result<(), DocumentError> {
        self.check_length(length)?;
        // Within the limit, which is below 2^32.
        self.push(&(length as u32).to_be_bytes())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), DocumentError> {
        self.check_length(bytes.len())?;
        self.bytes.extend(bytes);
        Ok(())
    }

    fn check_length(&self, more: usize) -> Result<(), DocumentError> {
        if self.bytes.len() + more > self.max_bytes {
            return Err(DocumentError::key_too_long(format!(
                "the value is too large to be a key: its encoding is longer than {} bytes; use a shorter value",
                self.max_bytes
            )));
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), DocumentError> {
        if depth >= self.max_nesting {
            return Err(DocumentError::overflow(format!(
                "the value is nested deeper than {} levels",
                self.max_nesting
            )));
        }
        Ok(())
    }
}
