//! Makes and drops collections.

use coffer_document::validate_namespace;
use coffer_proto::{
    internal::v1::{CreateCollection, DropCollection, command::Action},
    v1::{CreateCollectionRequest, CreateCollectionResponse, DropCollectionRequest, DropCollectionResponse},
};
use tonic::metadata::MetadataMap;

use super::{
    super::{
        command::{check, database_is_gone},
        context::Context,
        error::ServiceError,
        refusal::Refusal,
    },
    write,
};

/// Makes a collection, and its database where that does not exist.
pub async fn create_collection(
    context: &Context,
    metadata: &MetadataMap,
    request: CreateCollectionRequest,
) -> Result<CreateCollectionResponse, ServiceError> {
    let CreateCollectionRequest { database, collection, retry_token } = request;
    validate_namespace(&database, &collection)?;
    write(context, metadata, retry_token, 0, move |mut write| async move {
        let mut action =
            CreateCollection { database_id: write.database_or_new(&database).await?.0, name: collection };
        let mut result = write.commands.next_part(Action::CreateCollection(action.clone())).await?;
        if database_is_gone(&result) {
            action.database_id = write.new_database(&database).await?.0;
            result = write.commands.next_part(Action::CreateCollection(action)).await?;
        }
        let result = check(result)?;
        Ok(CreateCollectionResponse { applied_index: result.applied_index })
    })
    .await
}

/// Drops a collection.
pub async fn drop_collection(
    context: &Context,
    metadata: &MetadataMap,
    request: DropCollectionRequest,
) -> Result<DropCollectionResponse, ServiceError> {
    let DropCollectionRequest { database, collection, retry_token } = request;
    validate_namespace(&database, &collection)?;
    write(context, metadata, retry_token, 0, move |mut write| async move {
        let id = write.existing_database(&database).await?;
        let id = id.ok_or_else(|| Refusal::namespace_not_found("there is no database of that name"))?;
        let mut action = DropCollection { database_id: id.0, name: collection };
        let mut result = write.commands.next_part(Action::DropCollection(action.clone())).await?;
        if database_is_gone(&result) {
            let id = write.existing_database(&database).await?;
            let id = id.ok_or_else(|| Refusal::namespace_not_found("there is no database of that name"))?;
            action.database_id = id.0;
            result = write.commands.next_part(Action::DropCollection(action)).await?;
        }
        let result = check(result)?;
        Ok(DropCollectionResponse { documents: result.deleted, applied_index: result.applied_index })
    })
    .await
}
