//! Deletes documents.

use coffer_document::validate_namespace;
use coffer_proto::{
    internal::v1::{DeleteDocuments, ScanWindow, command::Action},
    v1::{DeleteRequest, DeleteResponse},
};
use tonic::metadata::MetadataMap;

use super::{
    super::{
        command::{check, database_is_gone},
        context::Context,
        error::ServiceError,
    },
    Write, specification, write,
};

/// Runs the call.
pub async fn delete(
    context: &Context,
    metadata: &MetadataMap,
    request: DeleteRequest,
) -> Result<DeleteResponse, ServiceError> {
    let DeleteRequest { database, collection, filter, multi, retry_token } = request;
    validate_namespace(&database, &collection)?;
    let (filter, _) = specification::filter(filter)?;
    let bytes = filter.len();
    write(context, metadata, retry_token, bytes, move |write| {
        let action = DeleteDocuments { database_id: 0, collection, filter, multi, window: None };
        run(write, database, action)
    })
    .await
}

async fn run(
    mut write: Write,
    database: String,
    mut action: DeleteDocuments,
) -> Result<DeleteResponse, ServiceError> {
    let mut response = DeleteResponse::default();
    let mut looked_up_again = false;
    let Some(id) = write.database_of_collection(&database, &action.collection).await? else {
        return Ok(response);
    };
    action.database_id = id.0;
    loop {
        let result = write.commands.next_part(Action::Delete(action.clone())).await?;
        if database_is_gone(&result) {
            // Dropped under this call: what is left to be done is in the database that has the name now, if any.
            if looked_up_again {
                return Ok(response);
            }
            looked_up_again = true;
            match write.database_of_collection(&database, &action.collection).await? {
                // Another database: the scan begins again.
                Some(id) => (action.database_id, action.window) = (id.0, None),
                None => return Ok(response),
            }
            continue;
        }
        let result = check(result)?;
        response.deleted += result.deleted;
        response.applied_index = result.applied_index;
        if result.resume_after.is_empty() || (!action.multi && response.deleted > 0) {
            return Ok(response);
        }
        action.window = Some(ScanWindow { after: result.resume_after, max_documents: 0, max_bytes: 0 });
    }
}
