//! Hashes what a member holds, so that members can be compared.

use std::sync::Arc;

use coffer_document::validate_database_name;
use coffer_proto::v1::{CollectionHash, StateHashRequest, StateHashResponse};
use coffer_storage::StateHash;

use super::super::{
    blocking::blocking, deadline::Deadline, error::ServiceError, gate::Place, refusal::Refusal,
};
use crate::member::Serving;

/// Waits until the index that is asked for is applied, and hashes.
pub async fn state_hash(
    serving: Arc<Serving>,
    request: StateHashRequest,
    place: Place,
    deadline: &Deadline,
) -> Result<StateHashResponse, ServiceError> {
    let StateHashRequest { database, collection, at_least_index } = request;
    validate_database_name(&database)?;
    let mut applied = serving.engine.applied_index();
    tokio::time::timeout_at(deadline.at(), applied.wait_for(|index| *index >= at_least_index))
        .await
        .map_err(|_| ServiceError::Deadline("this member had applied the index that was asked for"))?
        .map_err(|_| ServiceError::ReadNotConfirmed("this member is closing its databases"))?;
    blocking("the collections were hashed", place, deadline, move || {
        let id = serving.engine.database_id(&database);
        let id = id.ok_or_else(|| Refusal::namespace_not_found("there is no database of that name"))?;
        let collection = (!collection.is_empty()).then_some(collection.as_str());
        let hash = serving
            .engine
            .state_hash(id, collection)
            .map_err(|error| ServiceError::from_storage("hash a database", &error))?;
        Ok(hash_message(hash))
    })
    .await
}

/// What a member says of a database that it hashed.
pub(crate) fn hash_message(hash: StateHash) -> StateHashResponse {
    let collections = hash.collections.into_iter().map(|collection| CollectionHash {
        collection: collection.name,
        documents: collection.documents,
        hash: collection.hash.to_vec().into(),
    });
    StateHashResponse {
        database_index: hash.database_index,
        applied_index: hash.applied_index,
        collections: collections.collect(),
    }
}
