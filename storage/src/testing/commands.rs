//! Commands as a leader would propose them.

use bson::Document;
use coffer_document::DocumentError;
use coffer_proto::internal::v1::{
    Command, CommandResult, CreateDatabase, DeleteDocuments, DropDatabase, InsertDocuments, PutSystemRecord,
    RetryId, ScanWindow, UpdateDocuments, command::Action,
};

use crate::{
    engine::{FindQuery, SystemKind},
    raft::wire,
};

use super::TestNode;

pub fn bytes(document: &Document) -> prost::bytes::Bytes {
    document.to_vec().unwrap().into()
}

pub fn create_database(name: &str) -> Action {
    Action::CreateDatabase(CreateDatabase { name: name.to_owned() })
}

pub fn drop_database(name: &str, database_id: u64) -> Action {
    Action::DropDatabase(DropDatabase { name: name.to_owned(), database_id })
}

pub fn put_system(kind: SystemKind, id: &str, expected_revision: u64, value: &[u8]) -> PutSystemRecord {
    PutSystemRecord {
        kind: kind.number(),
        id: id.to_owned(),
        expected_revision,
        unconditional: false,
        value: value.to_vec().into(),
        remove: false,
    }
}

pub fn insert(database_id: u64, collection: &str, documents: &[Document]) -> Action {
    Action::Insert(InsertDocuments {
        database_id,
        collection: collection.to_owned(),
        documents: documents.iter().map(bytes).collect(),
        ordered: true,
    })
}

pub fn update(database_id: u64, collection: &str, filter: Document, update: Document) -> UpdateDocuments {
    UpdateDocuments {
        database_id,
        collection: collection.to_owned(),
        filter: bytes(&filter),
        update: bytes(&update),
        multi: false,
        upsert: false,
        window: None,
        generated_id: vec![7; 12].into(),
    }
}

pub fn delete(database_id: u64, collection: &str, filter: Document) -> DeleteDocuments {
    DeleteDocuments {
        database_id,
        collection: collection.to_owned(),
        filter: bytes(&filter),
        multi: true,
        window: None,
    }
}

pub fn window(after: &[u8], max_documents: u32) -> Option<ScanWindow> {
    Some(ScanWindow { after: after.to_vec().into(), max_documents, max_bytes: 0 })
}

pub fn with_retry(action: Action, session: u8, sequence: u64, part: u32, time_ms: i64) -> Command {
    let retry = Some(RetryId { session_id: vec![session; 16].into(), sequence, part });
    Command { format: wire::FORMAT, feature: 1, time_ms, retry, action: Some(action) }
}

pub fn code(result: &CommandResult) -> i32 {
    result.error.as_ref().map_or(0, |error| error.code)
}

/// Everything that a find answers, as documents.
pub fn find(
    node: &TestNode,
    database: u64,
    collection: &str,
    filter: Document,
    adjust: impl FnOnce(&mut FindQuery),
) -> Result<Vec<Document>, DocumentError> {
    let mut query = FindQuery {
        database: coffer_keyring::DatabaseId(database),
        collection: collection.to_owned(),
        filter,
        projection: None,
        sort: None,
        skip: 0,
        limit: 0,
        cancel: crate::Cancel::default(),
    };
    adjust(&mut query);
    let mut cursor = node.engine.find(query).map_err(|error| error.document_error().cloned().unwrap())?;
    let mut documents = Vec::new();
    loop {
        // Small batches, so that a find is resumed many times.
        let batch = cursor.next_batch(3, usize::MAX).unwrap();
        if batch.is_empty() {
            return Ok(documents);
        }
        documents.extend(batch.iter().map(|raw| coffer_document::decode_document(raw).unwrap()));
    }
}

/// How many documents match.
pub fn count(
    node: &TestNode,
    database: u64,
    collection: &str,
    filter: Document,
    skip: u64,
    limit: u64,
) -> u64 {
    let query = FindQuery {
        database: coffer_keyring::DatabaseId(database),
        collection: collection.to_owned(),
        filter,
        projection: None,
        sort: None,
        skip,
        limit,
        cancel: crate::Cancel::default(),
    };
    node.engine.count(query).unwrap().0
}
