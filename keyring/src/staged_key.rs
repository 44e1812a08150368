//! The key of a database that is being received.

use std::sync::Arc;

use crate::{DataKey, DatabaseId, KeyVersion};

/// The next key of a database, in memory only: it seals the files of a generation that is being
/// built, and enters the keystore when that generation is switched to. Dropped before that, it is
/// gone, and with it what it sealed.
#[derive(Clone, Debug)]
pub struct StagedKey {
    database: DatabaseId,
    version: KeyVersion,
    key: Option<Arc<DataKey>>,
}

impl StagedKey {
    pub(crate) fn new(database: DatabaseId, version: KeyVersion, key: Option<Arc<DataKey>>) -> Self {
        Self { database, version, key }
    }

    /// The database.
    pub fn database(&self) -> DatabaseId {
        self.database
    }

    /// The version that the key will have.
    pub fn version(&self) -> KeyVersion {
        self.version
    }

    /// The key; `None` with encryption off.
    pub fn key(&self) -> Option<Arc<DataKey>> {
        self.key.clone()
    }
}
