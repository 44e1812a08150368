//! Lists databases and collections.

use coffer_keyring::DatabaseId;
use rocksdb::{Direction, IteratorMode};

use super::Engine;
use crate::{
    error::StorageError,
    instance::{DatabaseInstance, Key},
};

/// A database, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSummary {
    /// Its id.
    pub id: DatabaseId,
    /// Its name.
    pub name: String,
    /// How many collections it has.
    pub collections: u64,
    /// How many documents they hold together.
    pub documents: u64,
    /// Bytes of its live files on this member.
    pub size_on_disk: u64,
}

/// A collection, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionSummary {
    /// Its name.
    pub name: String,
    /// How many documents it holds.
    pub documents: u64,
}

impl Engine {
    /// All databases but the admin database, in the order of their names. Blocks.
    ///
    /// # Errors
    /// The disk fails.
    pub fn list_databases(&self) -> Result<Vec<DatabaseSummary>, StorageError> {
        let names: Vec<_> = self.databases().names().map(|(name, id)| (name.to_owned(), id)).collect();
        let mut databases = Vec::with_capacity(names.len());
        for (name, id) in names {
            // One that is dropped meanwhile is left out.
            let Ok(instance) = self.instance(id) else { continue };
            let collections = collections_of(&instance)?;
            databases.push(DatabaseSummary {
                id,
                name,
                collections: collections.len() as u64,
                documents: collections.iter().map(|collection| collection.documents).sum(),
                size_on_disk: instance.size_on_disk(),
            });
        }
        Ok(databases)
    }

    /// The collections of a database in the order of their names. Blocks.
    ///
    /// # Errors
    /// The database does not exist, or the disk fails.
    pub fn list_collections(&self, database: DatabaseId) -> Result<Vec<CollectionSummary>, StorageError> {
        collections_of(&*self.instance(database)?)
    }

    /// Whether a collection exists.
    ///
    /// # Errors
    /// The database does not exist, or the disk fails.
    pub fn has_collection(&self, database: DatabaseId, name: &str) -> Result<bool, StorageError> {
        Ok(self.instance(database)?.collection(name)?.is_some())
    }
}

fn collections_of(instance: &DatabaseInstance) -> Result<Vec<CollectionSummary>, StorageError> {
    let mut collections = Vec::new();
    for item in instance.db().iterator(IteratorMode::From(Key::COLLECTIONS, Direction::Forward)) {
        let (key, value) = item.map_err(|error| instance.engine(error))?;
        if !key.starts_with(Key::COLLECTIONS) {
            break;
        }
        let record = instance.decode_collection(&value)?;
        collections.push(CollectionSummary { name: record.name, documents: record.documents });
    }
    Ok(collections)
}
