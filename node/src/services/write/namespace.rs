//! From the names in a request to the ids in a command.

use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::{CreateDatabase, command::Action};

use super::{super::error::ServiceError, super::linearize::linearize, Write};

impl Write {
    /// The database of that name; makes it if there is none.
    pub(super) async fn database_or_new(&mut self, name: &str) -> Result<DatabaseId, ServiceError> {
        if let Some(id) = self.serving.engine.database_id(name) {
            return Ok(id);
        }
        self.new_database(name).await
    }

    /// Makes the database of that name, or learns its id from the log if there is one.
    pub(super) async fn new_database(&mut self, name: &str) -> Result<DatabaseId, ServiceError> {
        let action = Action::CreateDatabase(CreateDatabase { name: name.to_owned() });
        let result = self.commands.harmless(action).await?;
        Ok(DatabaseId(result.database_id))
    }

    /// The database of that name. That there is none is believed only after this member has shown that it has applied all
    /// that was acknowledged: one that was elected just now may lag.
    pub(super) async fn existing_database(&self, name: &str) -> Result<Option<DatabaseId>, ServiceError> {
        if let Some(id) = self.serving.engine.database_id(name) {
            return Ok(Some(id));
        }
        self.latest_database(name).await
    }

    /// The database of that name as of all that was acknowledged before this call.
    pub(super) async fn latest_database(&self, name: &str) -> Result<Option<DatabaseId>, ServiceError> {
        linearize(&self.serving.raft, &self.deadline).await?;
        Ok(self.serving.engine.database_id(name))
    }

    /// The database, if it holds the collection: else a write that needs existing documents has nothing to do. With a
    /// retry token the collection is not asked for, because the first try may be on record.
    pub(super) async fn database_of_collection(
        &self,
        database: &str,
        collection: &str,
    ) -> Result<Option<DatabaseId>, ServiceError> {
        let Some(id) = self.existing_database(database).await? else {
            return Ok(None);
        };
        if self.token.is_some() || self.has_collection(id, collection)? {
            return Ok(Some(id));
        }
        linearize(&self.serving.raft, &self.deadline).await?;
        // Asked for again: the name may belong to another database by now.
        let Some(id) = self.serving.engine.database_id(database) else {
            return Ok(None);
        };
        Ok(self.has_collection(id, collection)?.then_some(id))
    }

    fn has_collection(&self, database: DatabaseId, collection: &str) -> Result<bool, ServiceError> {
        match self.serving.engine.has_collection(database, collection) {
            Ok(has) => Ok(has),
            Err(coffer_storage::StorageError::DatabaseNotFound(_)) => Ok(false),
            Err(error) => Err(ServiceError::from_storage("look up a collection", &error)),
        }
    }
}
