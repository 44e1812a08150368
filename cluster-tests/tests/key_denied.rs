//! A denial, once it was seen, is not outlived: not by cutting the way to KMS, not by another Region, not by a restart.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bson::doc;
use coffer_client::CountOptions;
use coffer_cluster_tests::dev_kms::{HOME_REGION, OTHER_REGION};
use coffer_cluster_tests::{Cluster, ClusterBuilder, own_kms, restart_revoked, wait_for};
use coffer_keyring::kms::local::{LocalFault, LocalKmsAdmin};
use coffer_keyring::kms::{KeyArn, Region};
use coffer_proto::v1::{EncryptionStatus, MemberState, RegionStatus};

const SOON: Duration = Duration::from_secs(30);

/// What a member whose access is revoked logs at level ERROR.
const REVOCATION: [&str; 4] = ["the customer's key", "revoked", "denied", "CK00"];

fn region(name: &str) -> Region {
    Region::parse(name).expect("a Region's name")
}

/// Two Regions; `confirm` leaves time between a denial and the next.
fn builder(name: &str, confirm: &str) -> ClusterBuilder {
    ClusterBuilder::new(name).settings(|settings| {
        settings
            .raw("encryption.regions", format!("[\"{HOME_REGION}\", \"{OTHER_REGION}\"]"))
            .text("health.interval", "1s")
            .text("health.confirm", confirm)
            .text("health.failback_after", "1s");
    })
}

fn row<'a>(key: &'a EncryptionStatus, name: &str) -> Result<&'a RegionStatus, String> {
    key.regions.iter().find(|row| row.region == name).ok_or_else(|| format!("nothing of {name}: {key:?}"))
}

/// Waits until these members' keys are as `holds` wants them.
async fn keys(
    cluster: &Cluster,
    ids: &[u64],
    what: &str,
    holds: impl Fn(&EncryptionStatus) -> Result<bool, String>,
) -> anyhow::Result<()> {
    wait_for(what, SOON, async || {
        for id in ids {
            let key = cluster.member(*id).key().await?;
            if !holds(&key)? {
                return Err(format!("member {id}: {key:?}"));
            }
        }
        Ok(())
    })
    .await
    .with_context(|| cluster.log_tails())
}

fn healthy(key: &EncryptionStatus) -> Result<bool, String> {
    Ok(key.verdict == "accessible" && !key.failed_over && key.denied_in_a_row == 0)
}

/// Waits until each member has been asked `rounds` times more at least: its last probe is younger than the waiting, so often.
async fn probed(cluster: &Cluster, ids: &[u64], name: &str, rounds: u32) -> anyhow::Result<()> {
    for _ in 0..rounds {
        let since = Instant::now();
        keys(cluster, ids, &format!("another probe of {name}"), |key| {
            Ok(u128::from(row(key, name)?.last_probe_age_ms) < since.elapsed().as_millis())
        })
        .await?;
    }
    Ok(())
}

/// The key is taken away in different ways from one replica set, which serves again in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_is_final_wherever_the_member_depends_on_the_key() -> anyhow::Result<()> {
    let mut cluster = builder("key-denied", "2s").start().await?;
    let ids = cluster.ids();
    let admin = cluster.kms().admin().clone();
    let home = cluster.kms().cmk().clone();
    let replica = home.in_region(&region(OTHER_REGION))?;
    let client = cluster.client()?;
    let collection = client.database("db").collection("c");
    collection.insert_one(doc! { "_id": 1 }).await?;

    // A candidate alone is disabled: an alert, and no more.
    admin.disable(&replica)?;
    for id in &ids {
        wait_for("the alert of an unusable replica", SOON, async || {
            let alerts = cluster.member(*id).open_alerts().await?;
            if alerts.contains("replica_unusable") { Ok(()) } else { Err(format!("{alerts:?}")) }
        })
        .await?;
    }
    probed(&cluster, &ids, HOME_REGION, 4).await?;
    keys(&cluster, &ids, "home to be in use", |key| Ok(key.verdict == "accessible" && !key.failed_over))
        .await?;
    collection.insert_one(doc! { "_id": 2 }).await?;
    admin.enable(&replica)?;
    keys(&cluster, &ids, "the replica to be usable", |key| {
        Ok(row(key, OTHER_REGION)?.verdict == "accessible" && healthy(key)?)
    })
    .await?;

    // Home alone is disabled while it can be reached: a shutdown, although the replica would open everything.
    let since = Instant::now();
    admin.disable(&home)?;
    let ended = restart_revoked(&mut cluster, &ids, since, SOON).await?;
    eprintln!("home disabled, the replica enabled: the members ended after {ended:.1?}");
    sealed(&cluster, &ids).await?;
    admin.enable(&home)?;
    cluster.wait_serving(SOON).await?;

    // Home is out and the replica is in use; then that is disabled: a shutdown.
    admin.outage(&region(HOME_REGION))?;
    keys(&cluster, &ids, "the replica to be in use", |key| {
        Ok(key.failed_over && key.region == OTHER_REGION && key.verdict == "accessible")
    })
    .await?;
    let since = Instant::now();
    admin.disable(&replica)?;
    let ended = restart_revoked(&mut cluster, &ids, since, SOON).await?;
    eprintln!("home out, the replica disabled: the members ended after {ended:.1?}");
    sealed(&cluster, &ids).await?;
    admin.restore(&region(HOME_REGION))?;
    cluster.wait_serving(SOON).await?;
    admin.enable(&replica)?;
    assert_eq!(collection.count(&doc! {}, CountOptions::default()).await?.count, 2);
    cluster.finish_expecting(&REVOCATION)
}

/// Waits until these members are sealed, and sees that they stay so while they ask home again and again.
async fn sealed(cluster: &Cluster, ids: &[u64]) -> anyhow::Result<()> {
    for id in ids {
        cluster.member(*id).wait_state(MemberState::Sealed, SOON).await?;
    }
    probed(cluster, ids, HOME_REGION, 3).await?;
    for id in ids {
        let status = cluster.member(*id).status().await?;
        ensure!(status.state() == MemberState::Sealed, "member {id} did not stay sealed: {status:?}");
    }
    Ok(())
}

/// A first denial, seen by all members, before they could confirm it.
async fn denied_once(cluster: &Cluster, admin: &LocalKmsAdmin, cmk: &KeyArn) -> anyhow::Result<()> {
    admin.disable(cmk)?;
    keys(cluster, &cluster.ids(), "a first denial", |key| Ok(key.denied_in_a_row >= 1)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_seen_once_outlives_an_outage_and_a_restart() -> anyhow::Result<()> {
    let mut cluster = builder("key-denied-once", "8s").start().await?;
    let ids = cluster.ids();
    let admin = cluster.kms().admin().clone();
    let home = cluster.kms().cmk().clone();
    let client = cluster.client()?;
    let collection = client.database("db").collection("c");
    collection.insert_one(doc! { "_id": 1 }).await?;

    // Throttled between two denials: it counts for nothing, and takes nothing back.
    denied_once(&cluster, &admin, &home).await?;
    admin.set_fault(&region(HOME_REGION), Some(LocalFault::Throttled))?;
    keys(&cluster, &ids, "throttling after a denial", |key| {
        Ok(key.verdict == "throttled" || row(key, HOME_REGION)?.verdict == "throttled")
    })
    .await?;
    probed(&cluster, &ids, HOME_REGION, 2).await?;
    let counts = async || {
        let mut counts = Vec::new();
        for member in cluster.members() {
            counts.push(member.key().await?.denied_in_a_row);
        }
        Ok::<_, String>(counts)
    };
    let held = counts().await.map_err(anyhow::Error::msg)?;
    ensure!(held.iter().all(|count| (1..3).contains(count)), "after throttling the counts are {held:?}");

    // Then the way to home is cut, while the other Region answers: no failover, and nobody may choose that Region either.
    admin.outage(&region(HOME_REGION))?;
    keys(&cluster, &ids, "the outage of home", |key| Ok(row(key, HOME_REGION)?.verdict == "unreachable"))
        .await?;
    probed(&cluster, &ids, HOME_REGION, 3).await?;
    keys(&cluster, &ids, "home to be kept", |key| Ok(!key.failed_over && key.region == HOME_REGION)).await?;
    for id in &ids {
        let alerts = cluster.member(*id).open_alerts().await.map_err(anyhow::Error::msg)?;
        ensure!(alerts.contains("denial_pending"), "member {id} has the alerts {alerts:?}");
    }
    let refused = cluster.coffer(&["kms", "set-region", OTHER_REGION, "--member", "1"]).await?;
    ensure!(refused.status != 0 && format!("{refused:?}").contains("CK0034"), "{refused:?}");
    let refused = cluster.coffer(&["kms", "set-region", OTHER_REGION]).await?;
    ensure!(refused.status != 0 && format!("{refused:?}").contains("CK0034"), "{refused:?}");
    collection.insert_one(doc! { "_id": 2 }).await?;

    // One that is started again is not rescued by the Region that answers.
    let leader = cluster.leader().await?;
    cluster.member_mut(leader).kill();
    cluster.member_mut(leader).start()?;
    sealed(&cluster, &[leader]).await?;

    // Home is seen again, and denies as before: the others stop, and stay sealed.
    let others: Vec<u64> = ids.iter().copied().filter(|id| *id != leader).collect();
    let since = Instant::now();
    admin.restore(&region(HOME_REGION))?;
    let ended = restart_revoked(&mut cluster, &others, since, SOON).await?;
    eprintln!("home seen again: the members ended after {ended:.1?}");
    sealed(&cluster, &ids).await?;

    admin.enable(&home)?;
    cluster.wait_serving(SOON).await?;
    assert_eq!(collection.count(&doc! {}, CountOptions::default()).await?.count, 2);
    cluster.finish_expecting(&REVOCATION)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_cut_off_hears_of_the_denial_from_its_peers() -> anyhow::Result<()> {
    let mut cluster = builder("key-denied-told", "2s").prepare().await?;
    let kms = own_kms(&mut cluster)?;
    let cmk = cluster.kms().cmk().clone();
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;
    let ids = cluster.ids();
    let client = cluster.client()?;
    client.database("db").collection("c").insert_one(doc! { "_id": 1 }).await?;

    // Member 3 cannot reach home, and goes on with the other Region; the key is disabled at home, and nowhere else.
    kms[&3].outage(&region(HOME_REGION))?;
    keys(&cluster, &[3], "member 3 to use the other Region", |key| {
        Ok(key.failed_over && key.region == OTHER_REGION && key.verdict == "accessible")
    })
    .await?;
    let since = Instant::now();
    for admin in kms.values() {
        admin.disable(&cmk)?;
    }
    let ended = restart_revoked(&mut cluster, &ids, since, SOON).await?;
    eprintln!("the members ended after {ended:.1?}");
    let told = std::fs::read_to_string(&cluster.member(3).logs()[0])?;
    ensure!(told.contains("CK0033"), "member 3 does not say that it was told:\n{told}");

    // It cannot reach home yet, but its peers know better than the Region that it reaches.
    for id in &ids {
        cluster.member(*id).wait_state(MemberState::Sealed, SOON).await?;
    }
    for admin in kms.values() {
        admin.enable(&cmk)?;
    }
    kms[&3].restore(&region(HOME_REGION))?;
    cluster.wait_serving(SOON).await?;
    let found = client.database("db").collection("c").count(&doc! {}, CountOptions::default()).await?;
    assert_eq!(found.count, 1);
    cluster.finish_expecting(&REVOCATION)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_home_stops_who_has_a_limit_and_nobody_else() -> anyhow::Result<()> {
    const LIMIT: Duration = Duration::from_secs(6);
    let mut cluster = builder("key-denied-silent", "1s").prepare().await?;
    let kms = own_kms(&mut cluster)?;
    // Member 1 loses home alone, and fails over; members 2 and 3 lose every Region, and 3 has no limit.
    for id in [1, 2] {
        cluster.member_mut(id).configure(|settings| {
            settings.text("health.max_unreachable", "6s");
        })?;
    }
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;

    let since = Instant::now();
    for (id, admin) in &kms {
        admin.outage(&region(HOME_REGION))?;
        if *id != 1 {
            admin.outage(&region(OTHER_REGION))?;
        }
    }
    keys(&cluster, &[1], "member 1 to use the other Region", |key| Ok(key.failed_over)).await?;
    keys(&cluster, &[1, 2], "the stop to be announced", |key| Ok(key.shutdown_in_ms > 0)).await?;
    let ended = restart_revoked(&mut cluster, &[1, 2], since, SOON).await?;
    eprintln!("with a limit of {LIMIT:?} the members ended after {ended:.1?}");
    for (id, after) in &ended {
        // Home answered last within an interval before it went silent.
        let least = LIMIT.saturating_sub(Duration::from_millis(1500));
        ensure!(*after >= least, "member {id} ended after {after:.1?} already");
        ensure!(*after <= LIMIT + Duration::from_secs(5), "member {id} ended after {after:.1?} only");
    }
    // A restart does not outwit the limit: the other Region would open the keys of member 1.
    sealed(&cluster, &[1, 2]).await?;
    // Many limits later the one without a limit runs.
    wait_for("three limits", SOON, async || {
        let silent = since.elapsed();
        if silent >= LIMIT * 3 { Ok(()) } else { Err(format!("{silent:.1?} of silence")) }
    })
    .await?;
    let key = cluster.member(3).key().await.map_err(anyhow::Error::msg)?;
    ensure!(key.verdict == "unreachable" && key.shutdown_in_ms == 0, "{key:?}");

    for admin in kms.values() {
        admin.restore(&region(HOME_REGION))?;
        admin.restore(&region(OTHER_REGION))?;
    }
    cluster.wait_serving(SOON).await?;
    ensure!(cluster.member_mut(3).is_running(), "member 3 has stopped");
    cluster.finish_expecting(&REVOCATION)
}
