//! What is beyond the limits is refused at once.

use std::time::Duration;

use bson::doc;
use coffer_proto::wire::{error_metadata, reason as reasons};
use tonic::{Code, Request};

use super::{ReplicaSet, insert, limits, reason};
use crate::member::Limits;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_beyond_the_line_are_refused_and_the_places_come_back() {
    let limits = Limits { max_concurrent_writes: 1, max_queued_writes: 1, ..limits() };
    let set = ReplicaSet::start_with(1, limits, 1 << 30).await;
    let leader = set.leader().await;
    let text = "x".repeat(1 << 20);
    let calls = (0..12).map(|call| {
        let mut documents = leader.documents();
        let rows: Vec<_> =
            (0..10).map(|row| doc! { "_id": call * 100 + row, "text": text.as_str() }).collect();
        tokio::spawn(async move {
            let mut request = Request::new(insert("rows", rows));
            request.set_timeout(Duration::from_secs(20));
            documents.insert(request).await
        })
    });
    let (mut done, mut refused) = (0, 0);
    for answer in futures::future::join_all(calls.collect::<Vec<_>>()).await {
        match answer.unwrap() {
            Ok(_) => done += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted);
                let (reason, metadata) = reason(&status);
                assert_eq!(reason, reasons::OVERLOADED);
                assert!(metadata[error_metadata::RETRY_AFTER_MS].parse::<u64>().unwrap() > 0);
                refused += 1;
            }
        }
    }
    assert!(done >= 1 && refused >= 1, "{done} done, {refused} refused");
    leader.documents().insert(insert("rows", [doc! { "_id": -1 }])).await.unwrap();
    set.stop().await;
}
