//! Two of three members are enough, at a cold start and at a restart.

use std::time::Duration;

use bson::doc;
use coffer_client::{ClientOptions, CountOptions, ErrorKind};
use coffer_cluster_tests::{ClusterBuilder, invariants, wait_for};
use coffer_proto::v1::RaftRole;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_three_members_serve_and_one_does_not() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("partial-start").start().await?;
    let client = cluster.client()?;
    let collection = client.database("db").collection("c");
    for n in 0..20 {
        collection.insert_one(doc! { "_id": n }).await?;
    }
    cluster.wait_converged(SOON).await?;

    // A cold start with each of the three missing in turn.
    for missing in cluster.ids() {
        for (id, status) in cluster.stop_all().await? {
            assert_eq!(status.code(), Some(0), "member {id} ended with {status}");
        }
        for id in cluster.ids().into_iter().filter(|id| *id != missing) {
            cluster.member_mut(id).start()?;
        }
        cluster.wait_serving(SOON).await?;
        collection.insert_one(doc! { "_id": 100 + missing as i32 }).await?;

        // While one is away, one of the others restarts.
        let leader = cluster.leader().await?;
        cluster.member_mut(leader).kill();
        cluster.member_mut(leader).start()?;
        cluster.wait_serving(SOON).await?;
        collection.insert_one(doc! { "_id": 200 + missing as i32 }).await?;

        cluster.start_all()?;
        cluster.wait_serving(SOON).await?;
    }
    assert_eq!(collection.count(&doc! {}, CountOptions::default()).await?.count, 26);
    invariants::hashes_agree(&mut cluster, "db", SOON).await?;

    // One alone takes no write and confirms no read.
    for (id, status) in cluster.stop_all().await? {
        assert_eq!(status.code(), Some(0), "member {id} ended with {status}");
    }
    cluster.member_mut(1).start()?;
    wait_for("member 1 to answer", SOON, async || {
        cluster.member(1).status().await.map(drop).map_err(|error| format!("{error:#}"))
    })
    .await?;
    let impatient =
        cluster.client_with(ClientOptions { deadline: Duration::from_secs(3), ..Default::default() })?;
    let collection = impatient.database("db").collection("c");
    let write = collection.insert_one(doc! { "_id": 300 }).await.unwrap_err();
    assert!(matches!(write.kind(), ErrorKind::Unreachable | ErrorKind::OutcomeUnknown), "{write}");
    let read = collection.count(&doc! {}, CountOptions::default()).await.unwrap_err();
    assert_eq!(read.kind(), ErrorKind::Unreachable, "{read}");
    assert_ne!(cluster.member(1).status().await?.role(), RaftRole::Leader);
    cluster.finish()
}
