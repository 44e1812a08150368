//! Finds documents.

use std::sync::Arc;

use bson::Document;
use bytes::Bytes;
use coffer_document::{Filter, Projection, Sort, validate_namespace};
use coffer_proto::v1::FindRequest;
use coffer_storage::{Cursor, FindQuery, StorageError};
use tonic::metadata::MetadataMap;

use super::{
    super::{
        blocking::blocking, context::Context, deadline::Deadline, error::ServiceError, refusal::Refusal,
        write::optional_document,
    },
    applied_index, await_freshness,
    cursor::{CursorTask, FindStream},
    given_up::GivenUp,
};
use crate::member::Serving;

/// The most documents of one batch: what a batch holds in memory besides its bytes stays small.
const MAX_BATCH_DOCUMENTS: usize = 10_000;

/// Opens a cursor and begins to send what it finds. A deadline of the client ends the whole answer; without one, an answer
/// may take as long as its client goes on reading.
pub async fn find(
    context: &Context,
    metadata: &MetadataMap,
    request: FindRequest,
) -> Result<FindStream, ServiceError> {
    let FindRequest { database, collection, filter, projection, sort, skip, limit, batch_size, read_concern } =
        request;
    validate_namespace(&database, &collection)?;
    let filter = optional_document("filter", &filter)?;
    Filter::parse(&filter).map_err(|error| Refusal::from(error).within("filter"))?;
    let projection =
        specification("projection", &projection, |document| Projection::parse(document).map(drop))?;
    let sort = specification("sort", &sort, |document| Sort::parse(document).map(drop))?;
    let deadline = Deadline::of(metadata, context.member.limits())?;
    let serving = context.serving()?;
    let open = context.cursors.try_enter()?;
    let place = context.reads.enter(0, &deadline).await?;
    await_freshness(&serving, read_concern, &deadline).await?;
    let given_up = GivenUp::default();
    let cancel = given_up.flag();
    let opened = blocking("the first documents were found", place, &deadline, move || {
        open_cursor(&serving, &database, |id| FindQuery {
            database: id,
            collection,
            filter,
            projection,
            sort,
            skip,
            limit,
            cancel,
        })
    });
    let (cursor, applied_index) = opened.await?;
    let batch_documents = match batch_size {
        0 => MAX_BATCH_DOCUMENTS,
        size => usize::try_from(size).unwrap_or(usize::MAX).min(MAX_BATCH_DOCUMENTS),
    };
    let task = CursorTask {
        cursor,
        applied_index,
        batch_documents,
        reads: context.reads.clone(),
        member: context.member.clone(),
        deadline: deadline.from_client.then_some(deadline),
        _open: open,
    };
    Ok(task.start(given_up))
}

/// `None` where there is nothing to find, with the index that this is true of.
fn open_cursor(
    serving: &Arc<Serving>,
    database: &str,
    query: impl FnOnce(coffer_keyring::DatabaseId) -> FindQuery,
) -> Result<(Option<Cursor>, u64), ServiceError> {
    let nothing = (None, applied_index(serving));
    let Some(id) = serving.engine.database_id(database) else {
        return Ok(nothing);
    };
    match serving.engine.find(query(id)) {
        Ok(cursor) => {
            let applied_index = cursor.applied_index();
            Ok((Some(cursor), applied_index))
        }
        Err(StorageError::DatabaseNotFound(_)) => Ok(nothing),
        Err(error) => Err(ServiceError::from_storage("open a cursor", &error)),
    }
}

/// A document that may be left out, checked.
fn specification(
    what: &'static str,
    bytes: &Bytes,
    check: impl FnOnce(&Document) -> Result<(), coffer_document::DocumentError>,
) -> Result<Option<Document>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let document = optional_document(what, bytes)?;
    check(&document).map_err(|error| Refusal::from(error).within(what))?;
    Ok(Some(document))
}
