//! `coffer import`.
//!
//! Invariant: a document that the file holds is counted once: inserted, there already, or refused. "There already"
//! means that the collection holds exactly this document under its `_id`; another one under that `_id` is a conflict.

use std::collections::HashMap;
use std::path::Path;

use bson::{Bson, Document, doc};
use coffer_client::{Collection, Error, FindOptions, InsertManyOptions, WriteError};
use futures::TryStreamExt;
use serde_json::json;

use super::Context;
use super::documents::collection;
use crate::args::Import;
use crate::failure::Failure;
use crate::import::ids::with_id;
use crate::import::progress::Progress;
use crate::import::reader::Reader;
use crate::table::grouped;

/// Bytes of documents in one write, a larger document aside. A write is acknowledged as a whole, so small ones move the
/// bar and lose little when they are interrupted; larger ones gain nothing, as a member splits them at 2 MiB.
const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// Refused documents that are described one by one.
const MAX_DESCRIBED: usize = 10;

/// What became of the documents so far.
#[derive(Debug, Default)]
struct Tally {
    inserted: u64,
    already_there: u64,
    refused: u64,
    described: Vec<String>,
}

impl Tally {
    fn done(&self) -> u64 {
        self.inserted + self.already_there + self.refused
    }

    fn refuse(&mut self, position: u64, why: &str) {
        self.refused += 1;
        if self.described.len() < MAX_DESCRIBED {
            self.described.push(format!("document {}: {why}", position + 1));
        }
    }

    /// The documents that were refused, for a person.
    fn refusals(&self) -> String {
        let more = match self.refused - self.described.len() as u64 {
            0 => String::new(),
            more => format!("\n  and {} more", grouped(more)),
        };
        format!("{} documents were refused:\n  {}{more}", grouped(self.refused), self.described.join("\n  "))
    }
}

/// Runs it.
pub async fn run(cx: &mut Context, args: Import) -> Result<(), Failure> {
    let collection = collection(cx, &args.namespace);
    let mut reader = Reader::open(&args.file, args.pointer.as_deref())?;
    let progress = Progress::new(reader.size);
    let mut tally = Tally::default();
    let ended = import(&collection, &args, &mut reader, &progress, &mut tally).await;
    progress.finish();
    let rate = progress.rate(tally.done());
    let text = format!(
        "{} documents: {} inserted, {} already there, {} refused ({}/s)",
        grouped(tally.done()),
        grouped(tally.inserted),
        grouped(tally.already_there),
        grouped(tally.refused),
        grouped(rate)
    );
    cx.output.print(
        text,
        &json!({
            "documents": tally.done(), "inserted": tally.inserted, "already_there": tally.already_there,
            "refused": tally.refused, "complete": ended.is_ok(),
        }),
    )?;
    match ended {
        Err(Failure::Driver(error)) => {
            eprintln!(
                "coffer: the import stopped after {} documents; repeat the same command to go on, nothing is \
                 inserted twice",
                grouped(tally.done())
            );
            Err(error.into())
        }
        Err(Failure::Refused(why)) if tally.refused > 0 => {
            Err(Failure::Refused(format!("{why}\n{}", tally.refusals())))
        }
        Err(failure) => Err(failure),
        Ok(()) if tally.refused == 0 => Ok(()),
        Ok(()) => Err(Failure::Refused(tally.refusals())),
    }
}

/// The failure of a file that cannot be read on from the document at `position`.
fn broken_file(file: &Path, position: u64, error: &str, tally: &Tally) -> Failure {
    let what = format!("document {} of {} cannot be read: {error}", position + 1, file.display());
    if position == 0 {
        return Failure::Usage(format!("{what}; nothing was imported"));
    }
    // What stands before the mistake is done: that is no mere error of usage.
    Failure::Refused(format!(
        "{what}\nbefore it: {} inserted, {} already there, {} refused; mend the file from there on and repeat the \
         same command: nothing is inserted twice",
        grouped(tally.inserted),
        grouped(tally.already_there),
        grouped(tally.refused)
    ))
}

async fn import(
    collection: &Collection,
    args: &Import,
    reader: &mut Reader,
    progress: &Progress,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut batch: Vec<(u64, Document)> = Vec::new();
    let mut batch_bytes = 0;
    let mut position = 0;
    let mut mistake = None;
    loop {
        let next = match reader.documents.recv().await {
            Some(Ok(document)) => Some(document),
            Some(Err(error)) => {
                mistake = Some(error);
                None
            }
            None => None,
        };
        let ended = next.is_none();
        if let Some(document) = next {
            match with_id(document, position, args.id_field.as_deref()) {
                Ok(document) => {
                    batch_bytes += document.to_vec().map_or(0, |bytes| bytes.len());
                    batch.push((position, document));
                }
                Err(why) => tally.refuse(position, &why),
            }
            position += 1;
        }
        if !batch.is_empty() && (ended || batch.len() >= args.batch as usize || batch_bytes >= BATCH_BYTES) {
            insert(collection, std::mem::take(&mut batch), tally).await?;
            batch_bytes = 0;
            progress.read(reader.bytes_read());
            progress.documents(tally.done());
        }
        if ended {
            break;
        }
    }
    match mistake {
        None => Ok(()),
        Some(error) => Err(broken_file(&args.file, position, &error, tally)),
    }
}

/// Inserts a batch and counts what became of each document.
async fn insert(
    collection: &Collection,
    batch: Vec<(u64, Document)>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let documents = batch.iter().map(|(_, document)| document.clone());
    let outcome = match collection.insert_many(documents, InsertManyOptions { unordered: true }).await {
        Ok(outcome) => outcome,
        Err(Error::Partial { done, source }) => {
            tally.inserted += done;
            return Err((*source).into());
        }
        Err(error) => return Err(error.into()),
    };
    tally.inserted += outcome.inserted;
    let mut duplicates = Vec::new();
    for error in outcome.errors {
        let (position, document) = &batch[error.index];
        if error.code == WriteError::DUPLICATE_KEY {
            duplicates.push((*position, document));
        } else {
            tally.refuse(*position, &format!("{} ({})", error.message, error.code_name));
        }
    }
    if duplicates.is_empty() {
        return Ok(());
    }
    let there = stored(collection, duplicates.iter().filter_map(|(_, document)| document.get("_id"))).await?;
    for (position, document) in duplicates {
        match there.get(&key(document)) {
            Some(stored) if same(stored, document) => tally.already_there += 1,
            _ => tally.refuse(position, "the collection holds another document with this _id"),
        }
    }
    Ok(())
}

/// The documents with these ids, by their id.
async fn stored(
    collection: &Collection,
    ids: impl Iterator<Item = &Bson>,
) -> Result<HashMap<Vec<u8>, Document>, Failure> {
    let ids: Vec<Bson> = ids.cloned().collect();
    let filter = doc! { "_id": { "$in": ids } };
    let mut cursor = collection.find(&filter, FindOptions::default()).await?;
    let mut documents = HashMap::new();
    while let Some(document) = cursor.try_next().await? {
        documents.insert(key(&document), document);
    }
    Ok(documents)
}

/// The id of a document, with its type.
fn key(document: &Document) -> Vec<u8> {
    let mut id = Document::new();
    id.insert("_id", document.get("_id").cloned().unwrap_or(Bson::Null));
    id.to_vec().unwrap_or_default()
}

/// Whether both are the same to the byte: NaN equals itself, and 1 is not 1.0.
fn same(one: &Document, other: &Document) -> bool {
    matches!((one.to_vec(), other.to_vec()), (Ok(one), Ok(other)) if one == other)
}
