//! Replica sets within one process: members with real storage in temporary directories, sealed under keys of a local KMS,
//! that speak gRPC over loopback.

mod alerts;
mod cursors;
mod key_work;
mod leadership;
mod membership;
mod overload;
mod peers;
mod replica_set;
mod retries;
mod sealed;
mod settings;
mod snapshots;
mod writes;

use std::{collections::HashMap, future::Future, time::Duration};

use bson::Document;
use bytes::Bytes;
use coffer_proto::v1::{FindRequest, FindResponse, InsertRequest, RetryToken};
use tokio::time::{Instant, sleep};
use tonic::Status;
use tonic_types::StatusExt;

pub use replica_set::{ReplicaSet, TestMember, limits};

/// The longest that anything here may take on a machine that does something else too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// BSON bytes.
fn bson(document: Document) -> Bytes {
    document.to_vec().unwrap().into()
}

fn document(bytes: &Bytes) -> Document {
    Document::from_reader(&bytes[..]).unwrap()
}

fn insert(collection: &str, documents: impl IntoIterator<Item = Document>) -> InsertRequest {
    InsertRequest {
        database: "shop".to_owned(),
        collection: collection.to_owned(),
        documents: documents.into_iter().map(bson).collect(),
        ..InsertRequest::default()
    }
}

fn find(collection: &str) -> FindRequest {
    FindRequest { database: "shop".to_owned(), collection: collection.to_owned(), ..FindRequest::default() }
}

fn token(session: u8, sequence: u64) -> Option<RetryToken> {
    Some(RetryToken { session_id: vec![session; 16].into(), sequence })
}

/// All batches of an answer.
async fn batches(mut stream: tonic::Streaming<FindResponse>) -> Result<Vec<FindResponse>, Status> {
    let mut batches = Vec::new();
    while let Some(batch) = stream.message().await? {
        batches.push(batch);
    }
    Ok(batches)
}

/// Reason and metadata of an error.
fn reason(status: &Status) -> (String, HashMap<String, String>) {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    (info.reason, info.metadata)
}
