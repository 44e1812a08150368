//! Lists databases and collections.

use coffer_document::validate_database_name;
use coffer_proto::v1::{
    CollectionInfo, DatabaseInfo, ListCollectionsRequest, ListCollectionsResponse, ListDatabasesRequest,
    ListDatabasesResponse,
};
use coffer_storage::StorageError;
use tonic::metadata::MetadataMap;

use super::{
    super::{blocking::blocking, context::Context, deadline::Deadline, error::ServiceError},
    applied_index, await_freshness,
};

/// Lists the databases.
pub async fn list_databases(
    context: &Context,
    metadata: &MetadataMap,
    request: ListDatabasesRequest,
) -> Result<ListDatabasesResponse, ServiceError> {
    let deadline = Deadline::of(metadata, context.member.limits())?;
    let serving = context.serving()?;
    let place = context.reads.enter(0, &deadline).await?;
    await_freshness(&serving, request.read_concern, &deadline).await?;
    blocking("the databases were listed", place, &deadline, move || {
        let applied_index = applied_index(&serving);
        let databases = serving
            .engine
            .list_databases()
            .map_err(|error| ServiceError::from_storage("list databases", &error))?;
        let databases = databases.into_iter().map(|database| DatabaseInfo {
            name: database.name,
            id: database.id.0,
            collections: database.collections,
            documents: database.documents,
            size_on_disk: database.size_on_disk,
        });
        Ok(ListDatabasesResponse { databases: databases.collect(), applied_index })
    })
    .await
}

/// Lists the collections of a database; of one that does not exist there are none.
pub async fn list_collections(
    context: &Context,
    metadata: &MetadataMap,
    request: ListCollectionsRequest,
) -> Result<ListCollectionsResponse, ServiceError> {
    let ListCollectionsRequest { database, read_concern } = request;
    validate_database_name(&database)?;
    let deadline = Deadline::of(metadata, context.member.limits())?;
    let serving = context.serving()?;
    let place = context.reads.enter(0, &deadline).await?;
    await_freshness(&serving, read_concern, &deadline).await?;
    blocking("the collections were listed", place, &deadline, move || {
        let applied_index = applied_index(&serving);
        let Some(id) = serving.engine.database_id(&database) else {
            return Ok(ListCollectionsResponse { collections: Vec::new(), applied_index });
        };
        let collections = match serving.engine.list_collections(id) {
            Ok(collections) => collections,
            Err(StorageError::DatabaseNotFound(_)) => Vec::new(),
            Err(error) => return Err(ServiceError::from_storage("list collections", &error)),
        };
        let collections = collections
            .into_iter()
            .map(|collection| CollectionInfo { name: collection.name, documents: collection.documents });
        Ok(ListCollectionsResponse { collections: collections.collect(), applied_index })
    })
    .await
}
