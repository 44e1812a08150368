//! Hashes collections, so that members can be compared.
//!
//! The hash is SHA-256 over every document in the order of `_id`: key length (4, BE), key, document length (4, BE),
//! document. Members that applied the same entries to a database have the same hashes, whatever their files look like.

use coffer_keyring::DatabaseId;
use sha2::{Digest, Sha256};

use super::Engine;
use crate::{
    error::StorageError,
    instance::{CollectionId, DatabaseInstance, Key, Pinned},
};

/// The hashes of a database's collections in one view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateHash {
    /// The last entry that changed the database: where it is equal on two members, so are the hashes.
    pub database_index: u64,
    /// The log index that the view holds at least.
    pub applied_index: u64,
    /// In the order of their names.
    pub collections: Vec<CollectionHash>,
}

/// The hash of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionHash {
    /// The collection's name.
    pub name: String,
    /// How many documents were hashed.
    pub documents: u64,
    /// SHA-256.
    pub hash: [u8; 32],
}

impl Engine {
    /// Hashes one collection of a database, or all. Blocks for as long as reading them takes.
    ///
    /// # Errors
    /// The database does not exist, or the disk fails.
    pub fn state_hash(
        &self,
        database: DatabaseId,
        collection: Option<&str>,
    ) -> Result<StateHash, StorageError> {
        let applied_index = *self.applied_index().borrow();
        let instance = self.instance(database)?;
        let view = instance.pin()?;
        let database_index = view
            .get(Key::APPLIED)
            .map_err(|error| instance.engine(error))?
            .map(|bytes| instance.decode_applied(&bytes))
            .transpose()?
            .flatten()
            .map_or(0, |id| id.index);
        let mut collections = Vec::new();
        for (name, id) in records(&instance, &view)? {
            if collection.is_none_or(|wanted| wanted == name) {
                collections.push(hash(&instance, &view, name, id)?);
            }
        }
        Ok(StateHash { database_index, applied_index, collections })
    }
}

fn records(instance: &DatabaseInstance, view: &Pinned) -> Result<Vec<(String, CollectionId)>, StorageError> {
    let lower = Key::COLLECTIONS.to_vec();
    let mut iterator = view.iterate(Some(lower.clone()), Some(Key::after_prefix(&lower)), false);
    iterator.seek_to_first();
    let mut records = Vec::new();
    while let Some((_, value)) = iterator.item() {
        let record = instance.decode_collection(value)?;
        records.push((record.name, CollectionId(record.id)));
        iterator.next();
    }
    iterator.status().map_err(|error| instance.engine(error))?;
    Ok(records)
}

fn hash(
    instance: &DatabaseInstance,
    view: &Pinned,
    name: String,
    collection: CollectionId,
) -> Result<CollectionHash, StorageError> {
    let prefix = Key::documents(collection);
    let mut iterator = view.iterate(Some(prefix.clone()), Some(Key::after_prefix(&prefix)), true);
    iterator.seek_to_first();
    let (mut documents, mut hasher) = (0, Sha256::new());
    while let Some((key, value)) = iterator.item() {
        if instance.is_closed() {
            return Err(StorageError::DatabaseNotFound(instance.id()));
        }
        for part in [Key::id_of(key), value] {
            // Documents and keys are far below 4 GiB.
            hasher.update((part.len() as u32).to_be_bytes());
            hasher.update(part);
        }
        documents += 1;
        iterator.next();
    }
    iterator.status().map_err(|error| instance.engine(error))?;
    Ok(CollectionHash { name, documents, hash: hasher.finalize().into() })
}
