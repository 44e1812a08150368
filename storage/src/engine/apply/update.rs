//! Changes documents, by operators or by replacement.

use bson::oid::ObjectId;
use coffer_document::{DocumentError, Filter, Update, Updated, decode_document, encode_key};
use coffer_proto::internal::v1::{CommandResult, UpdateDocuments};

use super::{
    Execution, command_error, refused,
    scan::{Visit, scan},
};
use crate::error::StorageError;

impl Execution {
    pub(super) fn update(&mut self, action: &UpdateDocuments) -> Result<CommandResult, StorageError> {
        match parse(action) {
            Ok((filter, update)) => self.run_update(action, &filter, &update),
            Err(error) => Ok(refused(error)),
        }
    }

    fn run_update(
        &mut self,
        action: &UpdateDocuments,
        filter: &Filter,
        update: &Update,
    ) -> Result<CommandResult, StorageError> {
        let mut result = CommandResult::default();
        let mut failure = None;
        if let Some(collection) = self.existing(&action.collection)? {
            let batch = &mut self.batch;
            let resume =
                scan(&self.instance, &collection, filter, action.window.as_ref(), |key, document| {
                    result.matched += 1;
                    let mut written = 0;
                    match update.apply(&document).and_then(encode) {
                        Ok(Some(bytes)) => {
                            result.modified += 1;
                            written = bytes.len();
                            batch.put(key, bytes);
                        }
                        Ok(None) => {}
                        // Those before it stay changed, as in MongoDB.
                        Err(error) => {
                            failure = Some(error);
                            return Ok(Visit::Stop);
                        }
                    }
                    Ok(if action.multi { Visit::Continue(written) } else { Visit::Stop })
                })?;
            result.resume_after = resume.unwrap_or_default().into();
        }
        if failure.is_none() && action.upsert && result.matched == 0 && result.resume_after.is_empty() {
            failure = self.upsert(action, filter, update, &mut result)?;
        }
        result.error = failure.map(command_error);
        Ok(result)
    }

    fn upsert(
        &mut self,
        action: &UpdateDocuments,
        filter: &Filter,
        update: &Update,
        result: &mut CommandResult,
    ) -> Result<Option<DocumentError>, StorageError> {
        let NewDocument { id, bytes, key } = match new_document(action, filter, update) {
            Ok(new) => new,
            Err(error) => return Ok(Some(error)),
        };
        let mut collection = self.existing_or_new(&action.collection)?;
        let key = Self::key(&collection, &key);
        if self.instance.get(&key)?.is_some() {
            return Ok(Some(DocumentError::duplicate_key(
                "duplicate key: the document to be inserted has the _id of another that the filter does not match",
            )));
        }
        self.batch.put(key, bytes);
        collection.documents += 1;
        self.save(&collection);
        result.inserted = 1;
        result.upserted_id = id.into();
        Ok(None)
    }
}

fn parse(action: &UpdateDocuments) -> Result<(Filter, Update), DocumentError> {
    let filter = Filter::parse(&decode_document(&action.filter)?)?;
    let update = Update::parse(&decode_document(&action.update)?)?;
    if action.multi {
        update.check_multi()?;
    }
    Ok((filter, update))
}

fn encode(updated: Updated) -> Result<Option<Vec<u8>>, DocumentError> {
    match updated {
        Updated::Unchanged => Ok(None),
        Updated::Changed(document) => to_bytes(&document).map(Some),
    }
}

/// What an upsert inserts.
struct NewDocument {
    /// Its `_id`, as a document.
    id: Vec<u8>,
    /// The document.
    bytes: Vec<u8>,
    /// Its encoded `_id`.
    key: Vec<u8>,
}

fn new_document(
    action: &UpdateDocuments,
    filter: &Filter,
    update: &Update,
) -> Result<NewDocument, DocumentError> {
    let generated: [u8; 12] = action
        .generated_id
        .as_ref()
        .try_into()
        .map_err(|_| DocumentError::bad_value("an upsert needs a generated _id of 12 bytes"))?;
    let document = update.upsert(filter, ObjectId::from_bytes(generated))?;
    let id = document.get("_id").cloned().unwrap_or(bson::Bson::Null);
    let key = encode_key(&id)?;
    Ok(NewDocument { id: to_bytes(&bson::doc! {"_id": id})?, bytes: to_bytes(&document)?, key })
}

/// Encodes a document of our own making.
pub fn to_bytes(document: &bson::Document) -> Result<Vec<u8>, DocumentError> {
    document
        .to_vec()
        .map_err(|_| DocumentError::bad_value("the resulting document cannot be encoded as BSON"))
}
