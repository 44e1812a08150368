//! Reads entries from the log, bounded in bytes.

use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use rocksdb::{DB, ReadOptions};

use super::{
    LogKey, LogStore,
    layout::split_entry,
    state::{engine, record},
};
use crate::{
    error::StorageError,
    raft::{Entry, wire},
};

/// Bytes of entries in memory at a time while a range is applied.
const STREAM_BUDGET: u64 = 4 << 20;

/// Reads `start..end`, up to about `budget` bytes but at least one entry. Every entry in the range must be there.
pub(super) fn read_entries(db: &DB, start: u64, end: u64, budget: u64) -> Result<Vec<Entry>, StorageError> {
    let mut entries = Vec::new();
    if start >= end {
        return Ok(entries);
    }
    // Bounds keep the iterator out of the range deletions of what was purged.
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(LogKey::entry(start));
    options.set_iterate_upper_bound(LogKey::entry(end));
    let mut iterator = db.raw_iterator_opt(options);
    iterator.seek(LogKey::entry(start));
    let (mut next, mut used) = (start, 0);
    while let Some((key, value)) = iterator.item() {
        if LogKey::index_of(key) != Some(next) {
            break;
        }
        used += value.len() as u64;
        if used > budget && !entries.is_empty() {
            return Ok(entries);
        }
        entries.push(decode(value)?.1);
        next += 1;
        iterator.next();
    }
    iterator.status().map_err(engine)?;
    if next != end {
        return Err(StorageError::PutBack { what: format!("the log lacks entry {next}") });
    }
    Ok(entries)
}

/// Streams `start..end`, holding a few MiB at a time.
pub(super) fn stream(
    log: LogStore,
    start: u64,
    end: u64,
) -> impl Stream<Item = Result<Entry, io::Error>> + Send {
    stream::try_unfold(start, move |next| {
        let batch = if next < end { log.read_entries(next, end, STREAM_BUDGET) } else { Ok(Vec::new()) };
        let step = batch.map_err(io::Error::from).map(|entries| {
            let after = next + entries.len() as u64;
            (!entries.is_empty()).then(|| (stream::iter(entries.into_iter().map(Ok)), after))
        });
        std::future::ready(step)
    })
    .try_flatten()
    .boxed()
}

/// Splits and decodes an entry's value.
pub(super) fn decode(value: &[u8]) -> Result<(u64, Entry), StorageError> {
    let (total, bytes) = split_entry(value)
        .ok_or_else(|| record(wire::WireError::Missing { what: "log entry", field: "total" }))?;
    let entry = wire::decode_entry(Bytes::copy_from_slice(bytes)).map_err(record)?;
    Ok((total, entry))
}
