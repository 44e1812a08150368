//! Who leads, who says so, and what a change of leaders costs a client.

use std::time::Duration;

use anyhow::Context;
use bson::{Document, doc};
use coffer_client::{CountOptions, FindOptions};
use coffer_cluster_tests::workload::{Load, LoadOptions};
use coffer_cluster_tests::{Cluster, ClusterBuilder, invariants, seeded, wait_for};
use coffer_proto::v1::documents_client::DocumentsClient;
use coffer_proto::v1::{InsertRequest, RaftRole, RetryToken, UpdateRequest, UpdateResponse};
use coffer_proto::wire::{error_metadata, reason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

const SOON: Duration = Duration::from_secs(30);

fn bytes(document: &Document) -> anyhow::Result<Vec<u8>> {
    document.to_vec().context("encoding a document")
}

fn info(status: &Status) -> anyhow::Result<tonic_types::ErrorInfo> {
    let details = status.check_error_details_vec().context("the details of an error")?;
    let info = details.into_iter().find_map(|detail| match detail {
        ErrorDetail::ErrorInfo(info) => Some(info),
        _ => None,
    });
    info.with_context(|| format!("no ErrorInfo in {status:?}"))
}

async fn insert(
    cluster: &Cluster,
    id: u64,
    number: i64,
    token: Option<RetryToken>,
) -> anyhow::Result<Result<u64, Status>> {
    let request = InsertRequest {
        database: "db".into(),
        collection: "c".into(),
        documents: vec![bytes(&doc! { "_id": number })?.into()],
        unordered: false,
        retry_token: token,
    };
    let answer = DocumentsClient::new(cluster.member(id).connect().await?).insert(request).await;
    Ok(answer.map(|response| response.into_inner().inserted))
}

async fn add_one(
    cluster: &Cluster,
    id: u64,
    token: &RetryToken,
) -> anyhow::Result<Result<UpdateResponse, Status>> {
    let request = UpdateRequest {
        database: "db".into(),
        collection: "counters".into(),
        filter: bytes(&doc! { "_id": "counter" })?.into(),
        update: bytes(&doc! { "$inc": { "n": 1_i64 } })?.into(),
        multi: false,
        upsert: true,
        retry_token: Some(token.clone()),
    };
    let answer = DocumentsClient::new(cluster.member(id).connect().await?).update(request).await;
    Ok(answer.map(tonic::Response::into_inner))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_name_the_leader_and_retried_writes_take_effect_once() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("retries").start().await?;
    let leader = cluster.leader().await?;
    for id in cluster.ids().into_iter().filter(|id| *id != leader) {
        let refused = insert(&cluster, id, 1, None).await?.expect_err("a follower took a write");
        assert_eq!(refused.code(), Code::Unavailable);
        let info = info(&refused)?;
        assert_eq!(info.reason, reason::NOT_LEADER);
        assert_eq!(
            info.metadata.get(error_metadata::LEADER).map(String::as_str),
            Some(cluster.member(leader).address())
        );
        assert_eq!(info.metadata.get(error_metadata::LEADER_ID), Some(&leader.to_string()));
    }

    let session_id = vec![7_u8; 16];
    let token = |sequence| RetryToken { session_id: session_id.clone().into(), sequence };
    assert_eq!(insert(&cluster, leader, 1, Some(token(1))).await??, 1);
    assert_eq!(
        insert(&cluster, leader, 1, Some(token(1))).await??,
        1,
        "a retry is answered as the first was"
    );
    let first = add_one(&cluster, leader, &token(2)).await??;
    assert!(!first.upserted_id.is_empty());
    assert_eq!(add_one(&cluster, leader, &token(2)).await??, first);
    let second = add_one(&cluster, leader, &token(3)).await??;
    assert_eq!((second.matched, second.modified), (1, 1));

    // A new leader knows it too, and so does one that was killed and replayed its log.
    let client = cluster.client()?;
    let next = client.admin().transfer_leader(None).await?;
    assert_ne!(next, leader);
    assert_eq!(cluster.wait_serving(SOON).await?, next);
    assert_eq!(add_one(&cluster, next, &token(3)).await??, second);
    cluster.kill_all()?;
    cluster.start_all()?;
    let last = cluster.wait_serving(SOON).await?;
    let again = wait_for("the retried write to be answered", SOON, async || {
        let answer = add_one(&cluster, last, &token(3)).await.map_err(|error| error.to_string())?;
        answer.map_err(|status| status.to_string())
    });
    assert_eq!(again.await?, second);

    let stale =
        add_one(&cluster, last, &token(2)).await?.expect_err("an older write of the session was taken");
    assert_eq!(
        (stale.code(), info(&stale)?.reason.as_str()),
        (Code::FailedPrecondition, reason::STALE_RETRY_TOKEN)
    );

    let counter =
        client.database("db").collection("counters").find_one(&doc! {}, FindOptions::default()).await?;
    assert_eq!(counter, Some(doc! { "_id": "counter", "n": 2_i64 }));
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_leader_hands_over_and_no_call_fails() -> anyhow::Result<()> {
    let mut rng = seeded("a_stopped_leader_hands_over_and_no_call_fails");
    let mut cluster = ClusterBuilder::new("handover").start().await?;
    let client = cluster.client()?;
    let options = LoadOptions::default();
    let load = Load::start(&client, &options, &mut rng);
    load.progress(200, SOON).await?;

    for _ in 0..3 {
        let leader = cluster.leader().await?;
        let term = cluster.member(leader).status().await?.term;
        cluster.member_mut(leader).terminate()?;
        let status = cluster.member_mut(leader).exited(SOON).await?;
        assert_eq!(status.code(), Some(0), "member {leader} ended with {status}");
        let next = cluster.wait_serving(SOON).await?;
        assert_ne!(next, leader);
        // Handed over, not fought for: one election.
        assert_eq!(cluster.member(next).status().await?.term, term + 1);
        load.progress(100, SOON).await?;
        cluster.member_mut(leader).start()?;
        cluster.wait_serving(SOON).await?;
    }
    let ledger = load.stop().await?;
    assert_eq!(ledger.counts[1..], [0, 0], "calls failed: {:?}", ledger.counts);
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_leader_answers_no_stale_read() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("frozen-leader").start().await?;
    let client = cluster.client()?;
    let collection = client.database("db").collection("c");
    collection.insert_one(doc! { "_id": 1 }).await?;

    let old = cluster.leader().await?;
    cluster.member_mut(old).freeze()?;
    let new = wait_for("another leader", SOON, async || {
        for member in cluster.members().iter().filter(|member| member.id() != old) {
            let status = member.status().await.map_err(|error| format!("{error:#}"))?;
            if status.role() == RaftRole::Leader {
                return Ok(member.id());
            }
        }
        Err("nobody leads".to_owned())
    })
    .await?;
    assert_ne!(new, old);
    collection.insert_one(doc! { "_id": 2 }).await?;

    // It wakes up and believes for a moment that it leads. What it answers to a default read must not be the past.
    cluster.member_mut(old).thaw()?;
    let stale = cluster.member(old).client()?.database("db").collection("c");
    match stale.count(&doc! {}, CountOptions::default()).await {
        Ok(count) => assert_eq!(count.count, 2),
        Err(error) => eprintln!("the old leader refused, as it may: {error}"),
    }
    cluster.wait_serving(SOON).await?;
    assert_eq!(collection.count(&doc! {}, CountOptions::default()).await?.count, 2);
    invariants::hashes_agree(&mut cluster, "db", SOON).await?;
    cluster.finish()
}
