//! Commands on the collections of a database.

use coffer_document::DocumentError;
use coffer_proto::internal::v1::{CommandResult, CreateCollection, DropCollection};

use super::{Execution, refused};
use crate::{
    error::StorageError,
    instance::{CollectionId, Key},
};

impl Execution {
    pub(super) fn create_collection(
        &mut self,
        action: &CreateCollection,
    ) -> Result<CommandResult, StorageError> {
        if self.existing(&action.name)?.is_some() {
            return Ok(refused(DocumentError::namespace_exists("a collection of that name exists already")));
        }
        let record = self.existing_or_new(&action.name)?;
        self.save(&record);
        Ok(CommandResult::default())
    }

    pub(super) fn drop_collection(&mut self, action: &DropCollection) -> Result<CommandResult, StorageError> {
        let Some(record) = self.existing(&action.name)? else {
            return Ok(refused(DocumentError::namespace_not_found("there is no collection of that name")));
        };
        let documents = Key::documents(CollectionId(record.id));
        // The id is never used again, so the range deletion can hide nothing that comes later.
        self.batch.delete_range(documents.clone(), Key::after_prefix(&documents));
        self.batch.delete(Key::collection(&action.name));
        Ok(CommandResult { deleted: record.documents, ..CommandResult::default() })
    }
}
