//! A database and what is in it.

use std::sync::Arc;

use coffer_proto::v1::{
    CollectionInfo, DatabaseInfo, DropDatabaseRequest, ListCollectionsRequest, ReadConcern as WireConcern,
};

use crate::call::Caller;
use crate::operation::Plan;
use crate::{Collection, Result};

/// What is known of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSummary {
    /// Its name.
    pub name: String,
    /// The number that names its directory and its key on every member.
    pub id: u64,
    /// How many collections it has.
    pub collections: u64,
    /// How many documents they hold.
    pub documents: u64,
    /// Bytes of its live files on the member that answered.
    pub size_on_disk: u64,
}

impl From<DatabaseInfo> for DatabaseSummary {
    fn from(info: DatabaseInfo) -> Self {
        let DatabaseInfo { name, id, collections, documents, size_on_disk } = info;
        Self { name, id, collections, documents, size_on_disk }
    }
}

/// What is known of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionSummary {
    /// Its name.
    pub name: String,
    /// How many documents it holds.
    pub documents: u64,
}

impl From<CollectionInfo> for CollectionSummary {
    fn from(info: CollectionInfo) -> Self {
        Self { name: info.name, documents: info.documents }
    }
}

/// What became of a database that was to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseDropped {
    /// False where there was no such database.
    pub dropped: bool,
    /// The log index of the drop.
    pub applied_index: u64,
}

/// A handle on a database, whether it exists or not: the first write makes it.
#[derive(Clone, Debug)]
pub struct Database {
    caller: Arc<Caller>,
    name: String,
}

impl Database {
    pub(crate) fn new(caller: Arc<Caller>, name: String) -> Self {
        Self { caller, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A handle on one of its collections, whether it exists or not.
    pub fn collection(&self, name: impl Into<String>) -> Collection {
        Collection::new(self.caller.clone(), self.name.clone(), name.into())
    }

    /// The collections that exist; none where the database does not.
    ///
    /// # Errors
    /// See [`Error`](crate::Error).
    pub async fn list_collections(&self) -> Result<Vec<CollectionSummary>> {
        let request = ListCollectionsRequest {
            database: self.name.clone(),
            read_concern: WireConcern::Linearizable.into(),
        };
        let answer =
            self.caller
                .read(Plan::READ, request, |mut client, request| async move {
                    client.list_collections(request).await
                })
                .await?;
        Ok(answer.collections.into_iter().map(CollectionSummary::from).collect())
    }

    /// Drops the database with everything in it and destroys its keys on every member.
    ///
    /// # Errors
    /// See [`Error`](crate::Error).
    pub async fn drop(&self) -> Result<DatabaseDropped> {
        let answer = self
            .caller
            .write(
                |token| DropDatabaseRequest { database: self.name.clone(), retry_token: Some(token) },
                |mut client, request| async move { client.drop_database(request).await },
            )
            .await?;
        Ok(DatabaseDropped { dropped: answer.dropped, applied_index: answer.applied_index })
    }
}
