//! Inserts documents.

use bytes::Bytes;
use coffer_document::validate_namespace;
use coffer_proto::{
    internal::v1::{CommandResult, DocumentFailure, InsertDocuments, command::Action},
    v1::{InsertRequest, InsertResponse, WriteError},
};
use tonic::metadata::MetadataMap;

use super::{
    super::{
        command::{check, database_is_gone},
        context::Context,
        error::ServiceError,
        insert_batch::InsertBatch,
        object_id::IdSource,
    },
    Write, write,
};

/// Batches of more bytes are checked off the threads that serve connections: decoding takes about a millisecond for
/// this many.
const CHECK_ASIDE_BYTES: usize = 256 * 1024;

/// How often a call looks its database up again when that is dropped under it.
const MAX_LOOKUPS: u32 = 3;

/// Runs the call.
pub async fn insert(
    context: &Context,
    metadata: &MetadataMap,
    request: InsertRequest,
) -> Result<InsertResponse, ServiceError> {
    let InsertRequest { database, collection, documents, unordered, retry_token } = request;
    validate_namespace(&database, &collection)?;
    let bytes = documents.iter().map(Bytes::len).sum();
    write(context, metadata, retry_token, bytes, move |write| async move {
        let ids = IdSource::new(write.token.as_ref());
        let batch = if bytes > CHECK_ASIDE_BYTES {
            tokio::task::spawn_blocking(move || InsertBatch::prepare(documents, &ids))
                .await
                .map_err(|failed| ServiceError::internal("check documents", &failed))??
        } else {
            InsertBatch::prepare(documents, &ids)?
        };
        run(write, &database, collection, batch, !unordered).await
    })
    .await
}

async fn run(
    mut write: Write,
    database: &str,
    collection: String,
    batch: InsertBatch,
    ordered: bool,
) -> Result<InsertResponse, ServiceError> {
    let mut id = write.database_or_new(database).await?;
    let mut response = InsertResponse::default();
    let mut lookups = 0;
    let runs = batch.split();
    let mut pending = runs.into_iter();
    let mut next = pending.next();
    while let Some(run) = next.clone() {
        let action = InsertDocuments {
            database_id: id.0,
            collection: collection.clone(),
            documents: batch.documents[run.clone()].to_vec(),
            ordered,
        };
        let result = write.commands.next_part(Action::Insert(action)).await?;
        if database_is_gone(&result) && lookups < MAX_LOOKUPS {
            lookups += 1;
            id = write.new_database(database).await?;
            continue;
        }
        let refused = add(&mut response, check(result)?, run.start);
        if ordered && refused {
            break;
        }
        next = pending.next();
    }
    response.ids = batch.ids;
    Ok(response)
}

/// Adds what one entry gave, whose first document is at `offset` in the request; true if a document was refused.
fn add(response: &mut InsertResponse, result: CommandResult, offset: usize) -> bool {
    response.inserted += result.inserted;
    response.applied_index = response.applied_index.max(result.applied_index);
    let refused = !result.failures.is_empty();
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    response.errors.extend(result.failures.into_iter().map(|failure| write_error(failure, offset)));
    refused
}

fn write_error(failure: DocumentFailure, offset: u32) -> WriteError {
    let error = failure.error.unwrap_or_default();
    WriteError {
        index: failure.index.saturating_add(offset),
        code: error.code,
        code_name: error.code_name,
        message: error.message,
    }
}

#[cfg(test)]
mod tests {
    use coffer_proto::internal::v1::CommandError;

    use super::*;

    #[test]
    fn positions_are_those_of_the_request() {
        let mut response = InsertResponse::default();
        let first = CommandResult { inserted: 3, applied_index: 7, ..CommandResult::default() };
        assert!(!add(&mut response, first, 0));
        let error = CommandError { code: 11000, ..CommandError::default() };
        let failures = vec![DocumentFailure { index: 1, error: Some(error) }];
        let second = CommandResult { inserted: 1, applied_index: 9, failures, ..CommandResult::default() };
        assert!(add(&mut response, second, 3));
        assert_eq!((response.inserted, response.applied_index), (4, 9));
        assert_eq!((response.errors[0].index, response.errors[0].code), (4, 11000));
    }
}
