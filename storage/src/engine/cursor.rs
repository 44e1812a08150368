//! Walks over the answer of a find, all of it from one view of the database.
//!
//! Invariants: what a cursor answers is one state of the database, whatever is written meanwhile; a find never blocks a
//! write; a cursor holds one document at a time, or, where it sorts, at most [`SORT_BYTES`].

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use coffer_document::{DocumentError, Filter, Projection, Sort, SortKey, decode_document};

use super::{
    Cancel, Engine, FindQuery,
    apply::{scan::key_bounds, update::to_bytes},
};
use crate::{
    error::StorageError,
    instance::{CollectionId, DatabaseInstance, Key, Pinned},
};

/// What a sort may hold in memory; MongoDB's limit of an in-memory sort.
pub const SORT_BYTES: usize = 100 << 20;

/// MongoDB's code for a sort beyond it.
const MEMORY_LIMIT: i32 = 292;

/// An open find.
pub struct Cursor {
    applied_index: u64,
    state: State,
}

enum State {
    /// Nothing to read.
    Empty,
    /// Documents in the order of their keys.
    Walk(Box<Walk>),
    /// Documents that were sorted, ready to be handed out.
    Sorted(VecDeque<Bytes>),
}

/// A walk in key order, forwards or backwards.
struct Walk {
    instance: Arc<DatabaseInstance>,
    view: Arc<Pinned>,
    collection: CollectionId,
    filter: Filter,
    projection: Option<Projection>,
    /// What is left: keys in `lower..upper`, or these points.
    lower: Vec<u8>,
    upper: Vec<u8>,
    points: Option<VecDeque<Vec<u8>>>,
    backwards: bool,
    cancel: Cancel,
    skip: u64,
    /// `None` for no limit.
    left: Option<u64>,
    done: bool,
}

impl Engine {
    /// Opens a find on the present state. Blocks where it sorts.
    ///
    /// # Errors
    /// The request is wrong, the database does not exist, or the disk fails.
    pub fn find(&self, query: FindQuery) -> Result<Cursor, StorageError> {
        let filter = Filter::parse(&query.filter)?;
        let projection = query.projection.as_ref().map(Projection::parse).transpose()?;
        let sort = query.sort.as_ref().map(Sort::parse).transpose()?.filter(|sort| !sort.is_empty());
        // Read before the view is pinned: the view holds at least this.
        let applied_index = *self.applied_index().borrow();
        let instance = self.instance(query.database)?;
        let view = instance.pin()?;
        let Some(record) = view.get(&Key::collection(&query.collection)).map_err(|e| instance.engine(e))?
        else {
            return Ok(Cursor { applied_index, state: State::Empty });
        };
        let collection = CollectionId(instance.decode_collection(&record)?.id);
        let range = filter.id_range();
        let (lower, upper) = key_bounds(collection, &range, &[]);
        let by_id = sort.as_ref().map_or(Some(true), Sort::is_id_only);
        let mut walk = Walk {
            instance,
            view: Arc::new(view),
            collection,
            filter,
            projection,
            lower,
            upper,
            points: range.points.clone().map(VecDeque::from),
            backwards: by_id == Some(false),
            cancel: query.cancel,
            skip: query.skip,
            left: (query.limit > 0).then_some(query.limit),
            done: range.is_empty(),
        };
        let state = match sort {
            Some(sort) if by_id.is_none() => State::Sorted(walk.sorted(&sort)?),
            _ => State::Walk(Box::new(walk)),
        };
        Ok(Cursor { applied_index, state })
    }

    /// Counts the documents that match. Blocks. Answers the count and the applied index that the view holds at least.
    ///
    /// # Errors
    /// As [`Engine::find`].
    pub fn count(&self, query: FindQuery) -> Result<(u64, u64), StorageError> {
        if query.filter.is_empty() {
            let applied_index = *self.applied_index().borrow();
            let all = self.instance(query.database)?.collection(&query.collection)?;
            let after_skip = all.map_or(0, |record| record.documents).saturating_sub(query.skip);
            let count = if query.limit == 0 { after_skip } else { after_skip.min(query.limit) };
            return Ok((count, applied_index));
        }
        let mut cursor = self.find(FindQuery { projection: None, sort: None, ..query })?;
        let mut count = 0;
        if let State::Walk(walk) = &mut cursor.state {
            walk.run(&mut |_, _| {
                count += 1;
                Ok(true)
            })?;
        }
        Ok((count, cursor.applied_index))
    }
}

impl Cursor {
    /// The log index that the view holds at least.
    pub fn applied_index(&self) -> u64 {
        self.applied_index
    }

    /// The next documents: at most `max_documents`, and no further one once `max_bytes` are reached. Empty at the end.
    /// Blocks.
    ///
    /// # Errors
    /// The database was dropped meanwhile, or the disk fails.
    pub fn next_batch(&mut self, max_documents: usize, max_bytes: usize) -> Result<Vec<Bytes>, StorageError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let max_documents = max_documents.max(1);
        match &mut self.state {
            State::Empty => {}
            State::Sorted(documents) => {
                while batch.len() < max_documents
                    && bytes < max_bytes
                    && let Some(document) = documents.pop_front()
                {
                    bytes += document.len();
                    batch.push(document);
                }
            }
            State::Walk(walk) => {
                let projection = walk.projection.take();
                let result = walk.run(&mut |document, raw| {
                    let shown = show(projection.as_ref(), document, raw)?;
                    bytes += shown.len();
                    batch.push(shown);
                    Ok(batch.len() < max_documents && bytes < max_bytes)
                });
                walk.projection = projection;
                result?;
            }
        }
        Ok(batch)
    }
}

/// Takes a match with its bytes, and says whether it wants another.
type Take<'a> = dyn FnMut(&bson::Document, &[u8]) -> Result<bool, StorageError> + 'a;

impl Walk {
    /// Hands over the next matches until `take` wants no more, or there are none.
    fn run(&mut self, take: &mut Take<'_>) -> Result<(), StorageError> {
        if self.left == Some(0) {
            self.done = true;
        }
        if self.done {
            return Ok(());
        }
        match self.points.take() {
            Some(mut points) => {
                let result = self.run_points(&mut points, take);
                self.points = Some(points);
                result
            }
            None => self.run_range(take),
        }
    }

    fn run_points(
        &mut self,
        points: &mut VecDeque<Vec<u8>>,
        take: &mut Take<'_>,
    ) -> Result<(), StorageError> {
        while !self.done {
            self.check_open()?;
            let point = if self.backwards { points.pop_back() } else { points.pop_front() };
            let Some(point) = point else {
                self.done = true;
                break;
            };
            let key = Key::document(self.collection, &point);
            let Some(value) = self.view.get(&key).map_err(|e| self.instance.engine(e))? else { continue };
            if !self.offer(&value, take)? {
                break;
            }
        }
        Ok(())
    }

    fn run_range(&mut self, take: &mut Take<'_>) -> Result<(), StorageError> {
        let view = self.view.clone();
        let mut iterator = view.iterate(Some(self.lower.clone()), Some(self.upper.clone()), true);
        if self.backwards {
            iterator.seek_to_last();
        } else {
            iterator.seek_to_first();
        }
        while let Some((key, value)) = iterator.item() {
            self.check_open()?;
            if !self.offer(value, take)? {
                // The rest starts behind this key.
                if self.backwards {
                    self.upper = key.to_vec();
                } else {
                    self.lower = [key, &[0]].concat();
                }
                return Ok(());
            }
            if self.backwards {
                iterator.prev();
            } else {
                iterator.next();
            }
        }
        iterator.status().map_err(|e| self.instance.engine(e))?;
        self.done = true;
        Ok(())
    }

    /// Hands a document over if it matches and is not to be left out. False when the walk pauses here.
    fn offer(&mut self, value: &[u8], take: &mut Take<'_>) -> Result<bool, StorageError> {
        let document = decode_document(value)?;
        if !self.filter.matches(&document) {
            return Ok(true);
        }
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(true);
        }
        let more = take(&document, value)?;
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                self.done = true;
                return Ok(false);
            }
        }
        Ok(more)
    }

    fn check_open(&self) -> Result<(), StorageError> {
        if self.instance.is_closed() {
            return Err(StorageError::DatabaseNotFound(self.instance.id()));
        }
        if self.cancel.is_cancelled() {
            return Err(StorageError::Cancelled);
        }
        Ok(())
    }

    /// All matches in the order of `sort`, after skip and limit.
    fn sorted(&mut self, sort: &Sort) -> Result<VecDeque<Bytes>, StorageError> {
        let skip = std::mem::take(&mut self.skip);
        let limit = self.left.take();
        let wanted = limit.map(|limit| usize::try_from(limit.saturating_add(skip)).unwrap_or(usize::MAX));
        let projection = self.projection.take();
        let mut rows: Vec<(SortKey, Bytes)> = Vec::new();
        let mut bytes = 0;
        self.run(&mut |document, raw| {
            let key = sort.key(document);
            bytes += row_bytes(&key, raw);
            rows.push((key, Bytes::copy_from_slice(raw)));
            if let Some(wanted) = wanted
                && rows.len() >= wanted.saturating_mul(2).max(1024)
            {
                keep_first(&mut rows, wanted);
                bytes = rows.iter().map(|(key, raw)| row_bytes(key, raw)).sum();
            }
            if bytes > SORT_BYTES { Err(sort_too_large()) } else { Ok(true) }
        })?;
        keep_first(&mut rows, wanted.unwrap_or(usize::MAX));
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        rows.into_iter()
            .skip(skip)
            .map(|(_, raw)| show(projection.as_ref(), &decode_document(&raw)?, &raw))
            .collect()
    }
}

/// What is answered of a document.
fn show(
    projection: Option<&Projection>,
    document: &bson::Document,
    raw: &[u8],
) -> Result<Bytes, StorageError> {
    match projection {
        Some(projection) => Ok(to_bytes(&projection.apply(document))?.into()),
        None => Ok(Bytes::copy_from_slice(raw)),
    }
}

/// What a row of a sort holds in memory: its bytes, its key, and what allocations add.
fn row_bytes(key: &SortKey, raw: &[u8]) -> usize {
    const OVERHEAD: usize = 128;
    raw.len() + key.len() + OVERHEAD
}

fn sort_too_large() -> StorageError {
    StorageError::Document(DocumentError {
        code: MEMORY_LIMIT,
        code_name: "QueryExceededMemoryLimitNoDiskUseAllowed",
        message: format!(
            "the sort needs more than {SORT_BYTES} bytes: give a limit, a narrower filter or sort by _id"
        ),
    })
}

/// Sorts stably, so that equal documents stay in the order of `_id`, and keeps the first `wanted`.
fn keep_first(rows: &mut Vec<(SortKey, Bytes)>, wanted: usize) {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows.truncate(wanted);
}
