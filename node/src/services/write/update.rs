//! Changes documents.

use bytes::Bytes;
use coffer_document::validate_namespace;
use coffer_keyring::DatabaseId;
use coffer_proto::{
    internal::v1::{ScanWindow, UpdateDocuments, command::Action},
    v1::{UpdateRequest, UpdateResponse},
};
use tonic::metadata::MetadataMap;

use super::{
    super::{
        command::{check, database_is_gone},
        context::Context,
        error::{LeaderHint, ServiceError, Uncertainty},
        object_id::IdSource,
    },
    Write, specification, write,
};

/// Runs the call.
pub async fn update(
    context: &Context,
    metadata: &MetadataMap,
    request: UpdateRequest,
) -> Result<UpdateResponse, ServiceError> {
    let UpdateRequest { database, collection, filter, update, multi, upsert, retry_token } = request;
    validate_namespace(&database, &collection)?;
    let (filter, parsed) = specification::filter(filter)?;
    let parsed_update = specification::update(&update, multi)?;
    if upsert {
        // What an upsert would make of the filter is decided by the request alone, so it is refused here.
        parsed_update.upsert(&parsed, bson::oid::ObjectId::from_bytes([0; 12]))?;
    }
    let bytes = filter.len() + update.len();
    write(context, metadata, retry_token, bytes, move |write| {
        let generated_id = IdSource::new(write.token.as_ref()).id(0).bytes();
        let action = UpdateDocuments {
            database_id: 0,
            collection,
            filter,
            update,
            multi,
            upsert,
            window: None,
            generated_id: Bytes::copy_from_slice(&generated_id),
        };
        run(write, database, action)
    })
    .await
}

async fn run(
    mut write: Write,
    database: String,
    mut action: UpdateDocuments,
) -> Result<UpdateResponse, ServiceError> {
    let mut response = UpdateResponse::default();
    let Some(id) = find_database(&mut write, &database, &action).await? else {
        return Ok(response);
    };
    action.database_id = id.0;
    let mut looked_up_again = false;
    loop {
        let result = write.commands.next_part(Action::Update(action.clone())).await?;
        if database_is_gone(&result) {
            // Dropped under this call: what is left to be done is in the database that has the name now, if any.
            if looked_up_again {
                return if action.upsert {
                    Err(ServiceError::OutcomeUnknown(Uncertainty::Interrupted(LeaderHint::default())))
                } else {
                    Ok(response)
                };
            }
            looked_up_again = true;
            let Some(id) = find_database(&mut write, &database, &action).await? else {
                return Ok(response);
            };
            // Another database: the scan begins again.
            (action.database_id, action.window) = (id.0, None);
            continue;
        }
        let result = check(result).map_err(|error| partly(error, response.modified))?;
        response.matched += result.matched;
        response.modified += result.modified;
        response.applied_index = result.applied_index;
        if !result.upserted_id.is_empty() {
            response.upserted_id = result.upserted_id;
        }
        if result.resume_after.is_empty() || (!action.multi && response.matched > 0) {
            return Ok(response);
        }
        // Inserting is for a scan that came to the end and matched nothing on its way.
        action.upsert &= response.matched == 0;
        action.window = Some(ScanWindow { after: result.resume_after, max_documents: 0, max_bytes: 0 });
    }
}

async fn find_database(
    write: &mut Write,
    database: &str,
    action: &UpdateDocuments,
) -> Result<Option<DatabaseId>, ServiceError> {
    if action.upsert {
        write.database_or_new(database).await.map(Some)
    } else {
        write.database_of_collection(database, &action.collection).await
    }
}

/// An update of many documents is not undone where one of them fails: the caller has to know.
fn partly(error: ServiceError, modified: u64) -> ServiceError {
    match error {
        ServiceError::Refused(refusal) if modified > 0 => {
            refusal.within(format_args!("after {modified} documents were changed")).into()
        }
        other => other,
    }
}
