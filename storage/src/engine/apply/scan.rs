//! Walks over the documents that a filter can match, for a limited stretch.
//!
//! An entry must not hold up a member for long, nor make a batch without bound. So a command examines a window; where
//! that ends before the documents do, its result says after which `_id` the next command goes on.

use std::ops::Bound;

use bson::Document;
use coffer_document::{Filter, IdRange, decode_document};
use coffer_proto::internal::v1::{CollectionRecord, ScanWindow};

use crate::{
    error::StorageError,
    instance::{CollectionId, DatabaseInstance, Key},
};

/// Used where the command names no window.
const DEFAULT_DOCUMENTS: u32 = 4096;

/// Used where the command names no window.
const DEFAULT_BYTES: u64 = 8 << 20;

/// Conditions of a filter that cost nothing extra: about what decoding a document costs.
const FREE_CONDITIONS: u64 = 16;

/// What the visitor of a scan wants next.
pub enum Visit {
    /// Go on; this many bytes were written for the document.
    Continue(usize),
    /// That was the one.
    Stop,
}

/// Calls `visit` with the key and content of each match, in the order of `_id`. Answers where to go on, if the window
/// ended first.
pub fn scan(
    instance: &DatabaseInstance,
    collection: &CollectionRecord,
    filter: &Filter,
    window: Option<&ScanWindow>,
    mut visit: impl FnMut(Vec<u8>, Document) -> Result<Visit, StorageError>,
) -> Result<Option<Vec<u8>>, StorageError> {
    let after = window.map_or(&[][..], |window| &window.after);
    let documents =
        window.map(|window| window.max_documents).filter(|max| *max > 0).unwrap_or(DEFAULT_DOCUMENTS);
    // A filter with many conditions gets fewer documents: the window bounds the work, the same on every member.
    let per_document = u64::try_from(filter.conditions()).unwrap_or(u64::MAX).max(FREE_CONDITIONS);
    let mut work = u64::from(documents) * FREE_CONDITIONS;
    let mut bytes = window.map(|window| window.max_bytes).filter(|max| *max > 0).unwrap_or(DEFAULT_BYTES);
    let id = CollectionId(collection.id);
    let range = filter.id_range();
    if range.is_empty() {
        return Ok(None);
    }
    // Answers true to go on.
    let mut examine = |key: &[u8], value: &[u8]| -> Result<Step, StorageError> {
        let document = decode_document(value)?;
        let mut cost = value.len();
        if filter.matches(&document) {
            match visit(key.to_vec(), document)? {
                Visit::Continue(written) => cost += written,
                Visit::Stop => return Ok(Step::Done),
            }
        }
        work = work.saturating_sub(per_document);
        bytes = bytes.saturating_sub(cost as u64);
        Ok(if work == 0 || bytes == 0 { Step::WindowEnds } else { Step::Next })
    };
    if let Some(points) = &range.points {
        for point in points.iter().filter(|point| point.as_slice() > after) {
            let key = Key::document(id, point);
            let Some(value) = instance.get(&key)? else { continue };
            match examine(&key, &value)? {
                Step::Next => {}
                Step::Done => return Ok(None),
                Step::WindowEnds => return Ok(Some(point.clone())),
            }
        }
        return Ok(None);
    }
    let (lower, upper) = key_bounds(id, &range, after);
    let view = instance.pin()?;
    let mut iterator = view.iterate(Some(lower.clone()), Some(upper), true);
    iterator.seek(lower);
    while let Some((key, value)) = iterator.item() {
        match examine(key, value)? {
            Step::Next => iterator.next(),
            Step::Done => return Ok(None),
            Step::WindowEnds => return Ok(Some(Key::id_of(key).to_vec())),
        }
    }
    iterator.status().map_err(|error| instance.engine(error))?;
    Ok(None)
}

enum Step {
    Next,
    Done,
    WindowEnds,
}

/// The keys of a collection between the bounds of `range`, from after `after` on: inclusive and exclusive.
pub fn key_bounds(collection: CollectionId, range: &IdRange, after: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let all = Key::documents(collection);
    let end = Key::after_prefix(&all);
    let key = |id: &[u8]| Key::document(collection, id);
    // No key is a prefix of another with more behind it, so the first key after one is that with a zero appended.
    let following = |id: &[u8]| [key(id), vec![0]].concat();
    let mut lower = match &range.lower {
        Bound::Unbounded => all,
        Bound::Included(id) => key(id),
        Bound::Excluded(id) => following(id),
    };
    if !after.is_empty() {
        lower = lower.max(following(after));
    }
    let upper = match &range.upper {
        Bound::Unbounded => end,
        Bound::Included(id) => following(id),
        Bound::Excluded(id) => key(id),
    };
    let upper = upper.max(lower.clone());
    (lower, upper)
}
