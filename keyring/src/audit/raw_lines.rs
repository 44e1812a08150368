//! The lines of a file, however it was damaged.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::MAX_LINE;

/// Reads a file line by line in bounded memory.
pub(super) struct RawLines {
    file: BufReader<io::Take<File>>,
    number: u64,
    offset: u64,
}

/// A run of bytes up to a newline.
pub(super) struct RawLine {
    /// Counted from 1.
    pub(super) number: u64,
    /// Where the next line begins.
    pub(super) end: u64,
    /// Without the newline. Empty where the line is longer than a line may be.
    pub(super) bytes: Vec<u8>,
    /// Whether a newline follows.
    pub(super) whole: bool,
}

impl RawLines {
    /// The first `limit` bytes of a file; `None` when there is none.
    pub(super) fn open(path: &Path, limit: u64) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => Ok(Some(Self { file: BufReader::new(file.take(limit)), number: 0, offset: 0 })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<RawLine>> {
        let mut bytes = Vec::new();
        let (mut length, mut whole) = (0_u64, false);
        while !whole {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let part = &buffer[..newline.unwrap_or(buffer.len())];
            if bytes.len() <= MAX_LINE {
                bytes.extend_from_slice(part);
            }
            whole = newline.is_some();
            let used = part.len() + usize::from(whole);
            length += used as u64;
            self.file.consume(used);
        }
        if length == 0 {
            return Ok(None);
        }
        if bytes.len() > MAX_LINE {
            bytes.clear();
        }
        self.number += 1;
        self.offset += length;
        Ok(Some(RawLine { number: self.number, end: self.offset, bytes, whole }))
    }
}
