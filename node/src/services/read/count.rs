//! Counts documents.

use coffer_document::{Filter, validate_namespace};
use coffer_proto::v1::{CountRequest, CountResponse};
use coffer_storage::{FindQuery, StorageError};
use tonic::metadata::MetadataMap;

use super::{
    super::{
        blocking::blocking, context::Context, deadline::Deadline, error::ServiceError, refusal::Refusal,
        write::optional_document,
    },
    applied_index, await_freshness,
    given_up::GivenUp,
};

/// Runs the call.
pub async fn count(
    context: &Context,
    metadata: &MetadataMap,
    request: CountRequest,
) -> Result<CountResponse, ServiceError> {
    let CountRequest { database, collection, filter, skip, limit, read_concern } = request;
    validate_namespace(&database, &collection)?;
    let filter = optional_document("filter", &filter)?;
    Filter::parse(&filter).map_err(|error| Refusal::from(error).within("filter"))?;
    let deadline = Deadline::of(metadata, context.member.limits())?;
    let serving = context.serving()?;
    let place = context.reads.enter(0, &deadline).await?;
    await_freshness(&serving, read_concern, &deadline).await?;
    // Dropped with this call, also where its client goes away.
    let given_up = GivenUp::default();
    let cancel = given_up.flag();
    blocking("the documents were counted", place, &deadline, move || {
        // Taken first: the count may have seen more, never less.
        let nothing = CountResponse { count: 0, applied_index: applied_index(&serving) };
        let Some(id) = serving.engine.database_id(&database) else {
            return Ok(nothing);
        };
        let query =
            FindQuery { database: id, collection, filter, projection: None, sort: None, skip, limit, cancel };
        match serving.engine.count(query) {
            Ok((count, applied_index)) => Ok(CountResponse { count, applied_index }),
            Err(StorageError::DatabaseNotFound(_)) => Ok(nothing),
            Err(error) => Err(ServiceError::from_storage("count documents", &error)),
        }
    })
    .await
}
