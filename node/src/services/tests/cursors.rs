//! Answers in batches.

use std::time::Duration;

use bson::doc;
use coffer_proto::wire::reason as reasons;
use tonic::{Code, Request};

use super::{ReplicaSet, batches, bson, document, find, insert, limits, reason, until};
use crate::member::Limits;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_bounded_and_all_of_one_view() {
    let set = ReplicaSet::start_with(1, limits(), 1 << 30).await;
    let mut documents = set.leader().await.documents();
    let text = "x".repeat(10_000);
    documents
        .insert(insert("rows", (0..1000).map(|id| doc! { "_id": id, "text": text.as_str() })))
        .await
        .unwrap();

    let stream = documents.find(find("rows")).await.unwrap().into_inner();
    // Written while the answer is under way: not part of it.
    documents.insert(insert("rows", [doc! { "_id": 1000 }])).await.unwrap();
    let found = batches(stream).await.unwrap();
    assert!(found.len() >= 10, "ten megabytes in batches of one");
    assert_eq!(found.iter().map(|batch| batch.documents.len()).sum::<usize>(), 1000);
    assert!(found.iter().all(|batch| batch.applied_index == found[0].applied_index));
    for batch in &found {
        let bytes: usize = batch.documents.iter().map(bytes::Bytes::len).sum();
        assert!(bytes < (1 << 20) + 11_000, "a megabyte, and the document that passed it");
    }

    let mut request = find("rows");
    request.batch_size = 7;
    request.limit = 20;
    request.skip = 5;
    request.sort = bson(doc! { "_id": -1 });
    request.projection = bson(doc! { "_id": 1 });
    let found = batches(documents.find(request).await.unwrap().into_inner()).await.unwrap();
    assert_eq!(found.iter().map(|batch| batch.documents.len()).collect::<Vec<_>>(), [7, 7, 6]);
    assert_eq!(document(&found[0].documents[0]), doc! { "_id": 995 });

    let nothing = batches(documents.find(find("none")).await.unwrap().into_inner()).await.unwrap();
    assert_eq!(nothing.len(), 1, "an empty answer says what it read");
    assert!(nothing[0].documents.is_empty() && nothing[0].applied_index > 0);

    let mut request = find("rows");
    request.sort = bson(doc! { "_id": "up" });
    let refused = documents.find(request).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).0.as_str()), (Code::InvalidArgument, reasons::REFUSED));
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_are_bounded_and_end_with_their_clients() {
    let limits = Limits { max_open_cursors: 1, ..limits() };
    let set = ReplicaSet::start_with(1, limits, 1 << 30).await;
    let leader = set.leader().await;
    let mut documents = leader.documents();
    let text = "x".repeat(100_000);
    documents
        .insert(insert("rows", (0..200).map(|id| doc! { "_id": id, "text": text.as_str() })))
        .await
        .unwrap();

    let mut other = leader.documents();
    let held = other.find(find("rows")).await.unwrap().into_inner();
    let refused = documents.find(find("rows")).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).0.as_str()), (Code::ResourceExhausted, reasons::OVERLOADED));
    drop(held);
    until("the cursor of a client that left is closed", || {
        let mut documents = leader.documents();
        async move { documents.find(find("none")).await.is_ok() }
    })
    .await;

    // A deadline of the client's ends an answer that is not read, with an error.
    let stream = loop {
        let mut request = Request::new(find("rows"));
        request.metadata_mut().insert("grpc-timeout", "500m".parse().unwrap());
        match documents.find(request).await {
            Ok(stream) => break stream.into_inner(),
            // The cursor of a moment ago is not gone yet.
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted),
        }
        tokio::task::yield_now().await;
    };
    until("the deadline frees the place", || {
        let mut documents = leader.documents();
        async move { documents.find(find("none")).await.is_ok() }
    })
    .await;
    let ended = batches(stream).await.unwrap_err();
    assert_eq!(ended.code(), Code::DeadlineExceeded);
    tokio::time::timeout(Duration::from_secs(20), set.stop()).await.unwrap();
}
