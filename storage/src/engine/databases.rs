//! Which databases are open, and what they are called.

use std::{collections::BTreeMap, sync::Arc};

use coffer_keyring::DatabaseId;

use crate::{error::StorageError, instance::DatabaseInstance};

/// The admin database, which holds the catalog; always there.
pub const ADMIN: DatabaseId = DatabaseId(0);

/// The open instances of the live generation.
#[derive(Default)]
pub struct Databases {
    instances: BTreeMap<DatabaseId, Arc<DatabaseInstance>>,
    names: BTreeMap<String, DatabaseId>,
}

impl Databases {
    /// An open instance.
    ///
    /// # Errors
    /// It does not exist, or not any more.
    pub fn get(&self, id: DatabaseId) -> Result<Arc<DatabaseInstance>, StorageError> {
        self.instances.get(&id).cloned().ok_or(StorageError::DatabaseNotFound(id))
    }

    /// The id behind a name.
    pub fn id(&self, name: &str) -> Option<DatabaseId> {
        self.names.get(name).copied()
    }

    /// The name of an id, as the catalog has it.
    pub fn name(&self, id: DatabaseId) -> Option<&str> {
        self.names.iter().find(|(_, known)| **known == id).map(|(name, _)| name.as_str())
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = (&str, DatabaseId)> {
        self.names.iter().map(|(name, id)| (name.as_str(), *id))
    }

    /// All open instances in the order of their ids.
    pub fn instances(&self) -> Vec<Arc<DatabaseInstance>> {
        self.instances.values().cloned().collect()
    }

    /// Adds an open instance.
    pub fn insert(&mut self, instance: Arc<DatabaseInstance>) {
        self.instances.insert(instance.id(), instance);
    }

    /// Takes an instance out.
    pub fn remove(&mut self, id: DatabaseId) -> Option<Arc<DatabaseInstance>> {
        self.instances.remove(&id)
    }

    /// Enters a name.
    pub fn enter(&mut self, name: String, id: DatabaseId) {
        self.names.insert(name, id);
    }

    /// Enters all names of a catalog.
    pub fn enter_all(&mut self, catalog: Vec<(String, DatabaseId)>) {
        self.names.extend(catalog);
    }

    /// Strikes a name.
    pub fn strike(&mut self, name: &str) {
        self.names.remove(name);
    }
}
