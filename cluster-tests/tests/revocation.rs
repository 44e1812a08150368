//! The customer takes the key away and every member goes; gives it back and everything is there again.

use std::time::Duration;

use bson::doc;
use coffer_client::{ClientOptions, CountOptions, ErrorKind, ReadConcern};
use coffer_cluster_tests::workload::{Load, LoadOptions};
use coffer_cluster_tests::{ClusterBuilder, invariants, seeded, wait_for};
use coffer_keyring::kms::Region;
use coffer_proto::v1::MemberState;
use tonic_health::pb::health_check_response::ServingStatus;

const SOON: Duration = Duration::from_secs(30);

/// The exit status of a member whose key was taken away.
const REVOKED: i32 = 77;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_cmk_stops_all_members_and_an_enabled_one_brings_them_back() -> anyhow::Result<()> {
    let mut rng = seeded("a_disabled_cmk_stops_all_members_and_an_enabled_one_brings_them_back");
    let mut cluster = ClusterBuilder::new("revocation").start().await?;
    let client = cluster.client()?;
    let options = LoadOptions::default();
    let load = Load::start(&client, &options, &mut rng);
    load.progress(200, SOON).await?;

    cluster.kms().disable()?;
    for (id, status) in cluster.all_exited(SOON).await? {
        assert_eq!(status.code(), Some(REVOKED), "member {id} ended with {status}");
    }
    let ledger = load.stop().await?;

    let impatient = ClientOptions { deadline: Duration::from_millis(500), ..ClientOptions::default() };
    // Started again by a supervisor they are sealed: alive, and serving nothing.
    cluster.start_all()?;
    for member in cluster.members() {
        let status = member.wait_state(MemberState::Sealed, SOON).await?;
        assert!(!status.state_reason.is_empty());
        assert_eq!(member.health().await?, ServingStatus::NotServing);
        assert!(member.keys().await.is_err(), "a sealed member told its keys");
        let alone = member
            .client_with(impatient.clone())?
            .database(&options.database)
            .collection(&options.collection);
        let local = CountOptions { read_concern: ReadConcern::Local, ..CountOptions::default() };
        assert!(alone.count(&doc! {}, local).await.is_err(), "a sealed member answered a read");
    }
    let impatient = cluster.client_with(impatient)?;
    let refused = impatient.database("db").collection("c").insert_one(doc! { "_id": 1 }).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Sealed, "{refused}");
    cluster.coffer(&["--timeout", "2s", "count", "load.documents"]).await?.ended_with(3)?;

    // No one has to start them again.
    cluster.kms().enable()?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish_expecting(&["denied", "Denied", "revoked", "DisabledException"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_kms_stops_nobody_and_seals_who_starts() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("outage").start().await?;
    let client = cluster.client()?;
    let collection = client.database("db").collection("c");
    collection.insert_one(doc! { "_id": 1 }).await?;

    let cmk = cluster.kms().cmk().clone();
    for region in [coffer_cluster_tests::dev_kms::HOME_REGION, coffer_cluster_tests::dev_kms::OTHER_REGION] {
        cluster.kms().admin().outage(&Region::parse(region)?)?;
    }
    for id in cluster.ids() {
        // Several probes have failed, and it serves.
        wait_for("the outage to be noticed", SOON, async || {
            let status = cluster.member(id).status().await.map_err(|error| format!("{error:#}"))?;
            let encryption = status.encryption.ok_or("nothing is said of encryption")?;
            if encryption.verdict == "unreachable" { Ok(()) } else { Err(format!("{encryption:?}")) }
        })
        .await?;
    }
    collection.insert_one(doc! { "_id": 2 }).await?;

    // One that restarts now is sealed; two go on.
    let leader = cluster.leader().await?;
    cluster.member_mut(leader).kill();
    cluster.member_mut(leader).start()?;
    cluster.member(leader).wait_state(MemberState::Sealed, SOON).await?;
    collection.insert_one(doc! { "_id": 3 }).await?;

    cluster.kms().admin().restore(cmk.region())?;
    cluster.wait_serving(SOON).await?;
    assert_eq!(collection.count(&doc! {}, CountOptions::default()).await?.count, 3);
    invariants::hashes_agree(&mut cluster, "db", SOON).await?;
    // An outage is what a person has to look at.
    cluster.finish_expecting(&["kms_unreachable"])
}
