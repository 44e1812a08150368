//! A write takes effect once, however often it is sent.

use bson::doc;
use coffer_proto::{
    v1::{CountRequest, InsertResponse, TransferLeaderRequest, UpdateRequest, UpdateResponse},
    wire::reason as reasons,
};
use tonic::Code;

use super::{ReplicaSet, bson, find, insert, reason, token};

fn increment(sequence: u64) -> UpdateRequest {
    UpdateRequest {
        database: "shop".to_owned(),
        collection: "counters".to_owned(),
        filter: bson(doc! { "_id": "c" }),
        update: bson(doc! { "$inc": { "n": 1 } }),
        upsert: true,
        retry_token: token(1, sequence),
        ..UpdateRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_update_is_applied_once_also_by_the_next_leader() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let old = leader.id;
    let mut documents = leader.documents();
    documents.update(increment(1)).await.unwrap();
    let first: UpdateResponse = documents.update(increment(2)).await.unwrap().into_inner();
    let again = documents.update(increment(2)).await.unwrap().into_inner();
    assert_eq!(first, again);

    leader.admin().transfer_leader(TransferLeaderRequest { to: 0 }).await.unwrap();
    let leader = set.leader().await;
    assert_ne!(leader.id, old);
    let mut documents = leader.documents();
    let again = documents.update(increment(2)).await.unwrap().into_inner();
    assert_eq!(first, again);
    let found = super::batches(documents.find(find("counters")).await.unwrap().into_inner()).await.unwrap();
    assert_eq!(super::document(&found[0].documents[0]), doc! { "_id": "c", "n": 2 });

    let stale = documents.update(increment(1)).await.unwrap_err();
    assert_eq!(
        (stale.code(), reason(&stale).0.as_str()),
        (Code::FailedPrecondition, reasons::STALE_RETRY_TOKEN)
    );
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_batch_of_many_entries_names_what_the_first_try_inserted() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let mut documents = leader.documents();
    let text = "x".repeat(1000);
    let mut request = insert("rows", (0..6000).map(|n| doc! { "n": n, "text": text.as_str() }));
    request.retry_token = token(2, 1);
    let first: InsertResponse = documents.insert(request.clone()).await.unwrap().into_inner();
    let again = documents.insert(request).await.unwrap().into_inner();
    assert_eq!(first.inserted, 6000);
    assert_eq!(first, again);
    let count = CountRequest {
        database: "shop".to_owned(),
        collection: "rows".to_owned(),
        ..CountRequest::default()
    };
    assert_eq!(documents.count(count).await.unwrap().into_inner().count, 6000);
    set.stop().await;
}
