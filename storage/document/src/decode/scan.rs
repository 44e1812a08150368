//! Checks the structure of BSON bytes without decoding them and without recursion, so that what recurses afterwards
//! (the decoder, comparison, drop) stays within the nesting limit.
//!
//! Source: the BSON specification 1.1, bsonspec.org/spec.html.

use crate::DocumentError;

/// A document or array that the scan is in.
struct Level {
    /// Offset past its last byte.
    end: usize,
    is_array: bool,
}

/// Checks that `bytes` are one well-formed document of at most `max_nesting` levels. Returns the number of fields of
/// all documents in it, elements of arrays not counted.
pub(super) fn scan(bytes: &[u8], max_nesting: usize) -> Result<usize, DocumentError> {
    let mut cursor = Cursor { bytes, position: 0 };
    let end = cursor.open(bytes.len())?;
    if end != bytes.len() {
        return Err(cursor.error("bytes follow after the end of the document"));
    }
    let mut levels = vec![Level { end, is_array: false }];
    let mut fields = 0;
    while let Some(level) = levels.last() {
        let kind = cursor.byte()?;
        if kind == 0 {
            if cursor.position != level.end {
                return Err(cursor.error("a document ends before its length says"));
            }
            levels.pop();
            continue;
        }
        let (limit, is_array) = (level.end - 1, level.is_array);
        cursor.text_to_nul(limit)?;
        if !is_array {
            fields += 1;
        }
        let nested = match kind {
            0x03 => Some(Level { end: cursor.open(limit)?, is_array: false }),
            0x04 => Some(Level { end: cursor.open(limit)?, is_array: true }),
            0x0F => Some(Level { end: cursor.open_scope(limit)?, is_array: false }),
            _ => {
                cursor.scalar(kind, limit)?;
                None
            }
        };
        if let Some(nested) = nested {
            if levels.len() >= max_nesting {
                return Err(DocumentError::overflow(format!(
                    "the document is nested deeper than {max_nesting} levels"
                )));
            }
            levels.push(nested);
        }
    }
    Ok(fields)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn error(&self, what: &str) -> DocumentError {
        DocumentError::invalid_bson(format!(
            "the bytes are not a BSON document: {what} (at byte {})",
            self.position
        ))
    }

    /// The next `length` bytes, which must end at or before offset `limit`.
    fn take(&mut self, length: usize, limit: usize) -> Result<&'a [u8], DocumentError> {
        let end = self
            .position
            .checked_add(length)
            .filter(|end| *end <= limit)
            .ok_or_else(|| self.error("a value runs past the end of its document"))?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DocumentError> {
        Ok(self.take(1, self.bytes.len())?[0])
    }

    /// A length as BSON has it, an int32 that is not negative.
    fn length(&mut self, limit: usize) -> Result<usize, DocumentError> {
        let bytes = self.take(4, limit)?;
        let length = i32::from_le_bytes(bytes.try_into().expect("four bytes were taken"));
        usize::try_from(length).map_err(|_| self.error("a length is negative"))
    }

    /// Enters a document: reads its length and returns the offset past its end.
    fn open(&mut self, limit: usize) -> Result<usize, DocumentError> {
        let start = self.position;
        let length = self.length(limit)?;
        let end = start + length;
        if length < 5 || end > limit {
            return Err(self.error("the length of a document does not fit"));
        }
        Ok(end)
    }

    /// Enters the scope of JavaScript with scope, whose end must be the end of the whole.
    fn open_scope(&mut self, limit: usize) -> Result<usize, DocumentError> {
        let start = self.position;
        let end = start + self.length(limit)?;
        if end > limit {
            return Err(self.error("the length of JavaScript with scope does not fit"));
        }
        self.string(end)?;
        if self.open(end)? != end {
            return Err(self.error("the length of JavaScript with scope is not that of its parts"));
        }
        Ok(end)
    }

    fn utf8(&self, bytes: &[u8]) -> Result<(), DocumentError> {
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.error("a text is not UTF-8")),
        }
    }

    /// A string with its length in front, which may hold NUL.
    fn string(&mut self, limit: usize) -> Result<(), DocumentError> {
        let length = self.length(limit)?;
        match self.take(length, limit)?.split_last() {
            Some((0, text)) => self.utf8(text),
            _ => Err(self.error("a string does not end with NUL")),
        }
    }

    /// A text up to a NUL.
    fn text_to_nul(&mut self, limit: usize) -> Result<(), DocumentError> {
        let rest = self.bytes.get(self.position..limit).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == 0) else {
            return Err(self.error("a name does not end within its document"));
        };
        self.utf8(&rest[..length])?;
        self.position += length + 1;
        Ok(())
    }

    fn scalar(&mut self, kind: u8, limit: usize) -> Result<(), DocumentError> {
        match kind {
            // Undefined, null, MinKey, MaxKey.
            0x06 | 0x0A | 0xFF | 0x7F => Ok(()),
            // Boolean.
            0x08 => match self.take(1, limit)? {
                [0 | 1] => Ok(()),
                _ => Err(self.error("a boolean is neither 0 nor 1")),
            },
            // Int32; double, date, timestamp, int64; ObjectId; Decimal128.
            0x10 => self.take(4, limit).map(drop),
            0x01 | 0x09 | 0x11 | 0x12 => self.take(8, limit).map(drop),
            0x07 => self.take(12, limit).map(drop),
            0x13 => self.take(16, limit).map(drop),
            // String, JavaScript, symbol.
            0x02 | 0x0D | 0x0E => self.string(limit),
            // Binary.
            0x05 => self.binary(limit),
            // Regular expression: pattern and options.
            0x0B => {
                self.text_to_nul(limit)?;
                self.text_to_nul(limit)
            }
            // DBPointer.
            0x0C => {
                self.string(limit)?;
                self.take(12, limit).map(drop)
            }
            _ => Err(self.error("a type is unknown")),
        }
    }

    fn binary(&mut self, limit: usize) -> Result<(), DocumentError> {
        let length = self.length(limit)?;
        let subtype = self.take(1, limit)?[0];
        let data = self.take(length, limit)?;
        // The old subtype repeats the length inside.
        if subtype == 0x02 {
            let inner = data.first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
            if inner.and_then(|inner| usize::try_from(inner).ok()) != length.checked_sub(4) || length < 4 {
                return Err(self.error("the two lengths of a binary of subtype 2 differ"));
            }
        }
        Ok(())
    }
}
