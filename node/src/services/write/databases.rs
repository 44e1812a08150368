//! Drops databases.

use coffer_document::validate_database_name;
use coffer_keyring::DatabaseId;
use coffer_proto::{
    internal::v1::{DropDatabase, command::Action},
    v1::{DropDatabaseRequest, DropDatabaseResponse},
};
use tonic::metadata::MetadataMap;

use super::{
    super::{command::check, context::Context, error::ServiceError},
    write,
};

/// Drops a database. The command names its id, so that one made again under the same name meanwhile is left alone.
pub async fn drop_database(
    context: &Context,
    metadata: &MetadataMap,
    request: DropDatabaseRequest,
) -> Result<DropDatabaseResponse, ServiceError> {
    let DropDatabaseRequest { database, retry_token } = request;
    validate_database_name(&database)?;
    write(context, metadata, retry_token, 0, move |mut write| async move {
        // With a retry token there can be a first try on record that has dropped it already: the log is asked.
        let id = match write.existing_database(&database).await? {
            Some(id) => id,
            None if write.token.is_some() => DatabaseId(0),
            None => return Ok(DropDatabaseResponse::default()),
        };
        let mut action = DropDatabase { name: database, database_id: id.0 };
        let mut result = check(write.commands.next_part(Action::DropDatabase(action.clone())).await?)?;
        // The name may have belonged to another database already: a member that was elected just now can lag.
        if result.deleted == 0
            && id != DatabaseId(0)
            && let Some(latest) = write.latest_database(&action.name).await?.filter(|latest| *latest != id)
        {
            action.database_id = latest.0;
            result = check(write.commands.next_part(Action::DropDatabase(action)).await?)?;
        }
        Ok(DropDatabaseResponse { dropped: result.deleted > 0, applied_index: result.applied_index })
    })
    .await
}
