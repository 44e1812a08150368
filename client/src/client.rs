//! The entrance: one client per replica set, shared by everything that uses it.

use std::sync::Arc;

use coffer_proto::v1::{ListDatabasesRequest, ReadConcern as WireConcern};

use crate::call::Caller;
use crate::operation::Plan;
use crate::{Admin, ClientOptions, Database, DatabaseSummary, KeyAdmin, Result};

/// A connection to a replica set. Cheap to clone; clones share connections, sessions and what is known of the
/// members.
#[derive(Clone, Debug)]
pub struct Client {
    caller: Arc<Caller>,
}

impl Client {
    /// Makes a client. Nothing is sent: connections are opened by the first call, which needs a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where no endpoint is given or one is malformed.
    pub fn connect(options: ClientOptions) -> Result<Self> {
        Ok(Self { caller: Arc::new(Caller::new(options)?) })
    }

    /// A handle on a database, whether it exists or not.
    pub fn database(&self, name: impl Into<String>) -> Database {
        Database::new(self.caller.clone(), name.into())
    }

    /// The calls of those who look after keys.
    pub fn key_admin(&self) -> KeyAdmin {
        KeyAdmin::new(self.caller.clone())
    }

    /// The calls of operators.
    pub fn admin(&self) -> Admin {
        Admin::new(self.caller.clone())
    }

    /// The databases that exist, as the leader has them.
    ///
    /// # Errors
    /// See [`Error`](crate::Error).
    pub async fn list_databases(&self) -> Result<Vec<DatabaseSummary>> {
        let request = ListDatabasesRequest { read_concern: WireConcern::Linearizable.into() };
        let answer =
            self.caller
                .read(Plan::READ, request, |mut client, request| async move {
                    client.list_databases(request).await
                })
                .await?;
        Ok(answer.databases.into_iter().map(DatabaseSummary::from).collect())
    }
}
