//! Inserts documents that the leader has prepared: each has its `_id`.

use std::collections::BTreeSet;

use bson::Bson;
use coffer_document::{DocumentError, decode_document, encode_key};
use coffer_proto::internal::v1::{CommandResult, DocumentFailure, InsertDocuments};

use super::{Execution, command_error};
use crate::error::StorageError;

impl Execution {
    pub(super) fn insert(&mut self, action: &InsertDocuments) -> Result<CommandResult, StorageError> {
        let mut result = CommandResult::default();
        let mut record = None;
        let mut new = BTreeSet::new();
        for (index, bytes) in (0..).zip(&action.documents) {
            let collection = match &mut record {
                Some(record) => record,
                None => record.insert(self.existing_or_new(&action.collection)?),
            };
            let refusal = match id_key(bytes) {
                Ok(id) => {
                    let key = Self::key(collection, &id);
                    if new.contains(&key) || self.instance.get(&key)?.is_some() {
                        Some(duplicate())
                    } else {
                        self.batch.put(&key, bytes);
                        new.insert(key);
                        None
                    }
                }
                Err(error) => Some(error),
            };
            if let Some(error) = refusal {
                result.failures.push(DocumentFailure { index, error: Some(command_error(error)) });
                if action.ordered {
                    break;
                }
            }
        }
        result.inserted = new.len() as u64;
        if let Some(mut record) = record {
            record.documents += result.inserted;
            self.save(&record);
        }
        Ok(result)
    }
}

fn id_key(bytes: &[u8]) -> Result<Vec<u8>, DocumentError> {
    let document = decode_document(bytes)?;
    encode_key(document.get("_id").unwrap_or(&Bson::Null))
}

/// Says nothing of the value: the caller knows what it sent.
fn duplicate() -> DocumentError {
    DocumentError::duplicate_key("duplicate key: a document with this _id exists already in the collection")
}
