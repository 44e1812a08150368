//! Deletes documents.

use coffer_document::{Filter, decode_document};
use coffer_proto::internal::v1::{CommandResult, DeleteDocuments};

use super::{
    Execution, refused,
    scan::{Visit, scan},
};
use crate::error::StorageError;

impl Execution {
    pub(super) fn delete(&mut self, action: &DeleteDocuments) -> Result<CommandResult, StorageError> {
        let filter = match decode_document(&action.filter).and_then(|filter| Filter::parse(&filter)) {
            Ok(filter) => filter,
            Err(error) => return Ok(refused(error)),
        };
        let mut result = CommandResult::default();
        let Some(mut collection) = self.existing(&action.collection)? else { return Ok(result) };
        let batch = &mut self.batch;
        let resume = scan(&self.instance, &collection, &filter, action.window.as_ref(), |key, _| {
            result.deleted += 1;
            let written = key.len();
            batch.delete(key);
            Ok(if action.multi { Visit::Continue(written) } else { Visit::Stop })
        })?;
        result.resume_after = resume.unwrap_or_default().into();
        result.matched = result.deleted;
        collection.documents = collection.documents.saturating_sub(result.deleted);
        self.save(&collection);
        Ok(result)
    }
}
