//! Reads documents out of a file, one by one: a file larger than memory is no problem.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bson::Document;
use serde::de::DeserializeSeed;
use serde_json::Value;
use tokio::sync::mpsc;

use super::pointer::{Walk, steps};
use crate::ext_json::{from_map, kind_of};
use crate::failure::Failure;

/// Documents read ahead of the writes.
const READ_AHEAD: usize = 2000;

/// A file being read on a thread of its own.
#[derive(Debug)]
pub struct Reader {
    /// The documents in the order of the file; the last entry may be why it was left.
    pub documents: mpsc::Receiver<Result<Document, String>>,
    /// Size of the file, where it has one.
    pub size: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Reader {
    /// Begins to read `path` (`-`: standard input): the array at `pointer`, or, without one, an array or documents one
    /// after the other, whichever it begins with.
    ///
    /// # Errors
    /// [`Failure::Usage`] where it cannot be opened or the pointer is none.
    pub fn open(path: &Path, pointer: Option<&str>) -> Result<Self, Failure> {
        let steps = pointer.map(steps).transpose().map_err(Failure::Usage)?;
        let read = Arc::new(AtomicU64::new(0));
        let (source, size): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let cannot = |error| Failure::Usage(format!("{} cannot be read: {error}", path.display()));
            let file = File::open(path).map_err(cannot)?;
            let metadata = file.metadata().map_err(cannot)?;
            if metadata.is_dir() {
                return Err(Failure::Usage(format!("{} is a directory", path.display())));
            }
            (Box::new(file), metadata.is_file().then_some(metadata.len()))
        };
        let counted = BufReader::with_capacity(1 << 16, Counted { source, read: read.clone() });
        let (sender, documents) = mpsc::channel(READ_AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut send = |value| {
                to_document(value).and_then(|document| {
                    sender.blocking_send(Ok(document)).map_err(|_| "nobody takes the documents".to_owned())
                })
            };
            if let Err(error) = read_documents(counted, steps.as_deref(), &mut send) {
                // Nobody there to take the reason: the writes have failed, and that is reported.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok(Self { documents, size, read })
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

fn read_documents(
    mut source: impl BufRead,
    steps: Option<&[String]>,
    send: &mut dyn FnMut(Value) -> Result<(), String>,
) -> Result<(), String> {
    let begins_array = skip_to_content(&mut source).map_err(|error| error.to_string())? == Some(b'[');
    let mut deserializer = serde_json::Deserializer::from_reader(source);
    if steps.is_some() || begins_array {
        let walk = Walk { steps: steps.unwrap_or_default(), sink: send };
        return walk
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end())
            .map_err(|error| error.to_string());
    }
    for value in deserializer.into_iter::<Value>() {
        send(value.map_err(|error| error.to_string())?)?;
    }
    Ok(())
}

/// Skips a byte order mark and white space, and says which byte comes then.
fn skip_to_content(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    if source.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
        source.consume(3);
    }
    loop {
        let buffer = source.fill_buf()?;
        let Some(first) = buffer.first().copied() else { return Ok(None) };
        if !first.is_ascii_whitespace() {
            return Ok(Some(first));
        }
        source.consume(1);
    }
}

fn to_document(value: Value) -> Result<Document, String> {
    match value {
        Value::Object(map) => from_map(map).map_err(|error| format!("it is no extended JSON: {error}")),
        other => Err(format!("it is {}, not an object", kind_of(&other))),
    }
}

struct Counted<R> {
    source: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn read(text: &str, pointer: Option<&str>) -> (Vec<Document>, Option<String>) {
        let steps = pointer.map(|pointer| steps(pointer).unwrap());
        let mut found = Vec::new();
        let mut send = |value| to_document(value).map(|document| found.push(document));
        let error = read_documents(text.as_bytes(), steps.as_deref(), &mut send).err();
        (found, error)
    }

    #[test]
    fn arrays_lines_and_pointers_are_read() {
        let two = vec![doc! { "b": 1, "a": 2 }, doc! { "c": 3 }];
        for (text, pointer) in [
            ("\u{feff} [{\"b\": 1, \"a\": 2}, {\"c\": 3}]\n", None),
            ("{\"b\": 1, \"a\": 2}\n{\"c\": 3}\n", None),
            ("{\"b\": 1,\n \"a\": 2}{\"c\": 3}", None),
            (r#"{"x": 1, "639-3": [{"b": 1, "a": 2}, {"c": 3}], "y": 2}"#, Some("/639-3")),
        ] {
            assert_eq!(read(text, pointer), (two.clone(), None), "{text}");
        }
        assert_eq!(read("", None), (vec![], None));
    }

    #[test]
    fn what_stands_before_a_mistake_is_read_and_the_mistake_is_named() {
        for (text, why) in [
            ("{\"a\": 1}\n{\"b\"", "line 2"),
            ("[{\"a\": 1}, 7]", "a number, not an object"),
            ("{\"a\": 1} {\"b\": {\"$oid\": 7}}", "no extended JSON"),
            ("[{\"a\": 1}", "line 1"),
        ] {
            let (found, error) = read(text, None);
            assert_eq!(found, [doc! { "a": 1 }]);
            let error = error.unwrap();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
