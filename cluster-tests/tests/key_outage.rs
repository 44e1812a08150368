//! An outage of KMS, of whatever kind, is no revocation: nobody stops, no client notices, other Regions are used where that is
//! possible, by itself or by hand.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bson::doc;
use coffer_client::CountOptions;
use coffer_cluster_tests::dev_kms::{HOME_REGION, OTHER_REGION};
use coffer_cluster_tests::kms::{AwsKmsOptions, Fault};
use coffer_cluster_tests::workload::{Ledger, Load, LoadOptions};
use coffer_cluster_tests::{Cluster, ClusterBuilder, invariants, seeded, wait_for};
use coffer_keyring::kms::Region;
use coffer_proto::v1::{EncryptionStatus, MemberState};

const SOON: Duration = Duration::from_secs(30);

const INTERVAL: Duration = Duration::from_secs(2);

/// How soon another Region has to be used, by the design.
const FAILED_OVER: Duration = INTERVAL.saturating_mul(2);

/// Where a replica is that no configuration names.
const SPARE_REGION: &str = "us-west-2";

/// Waits until every member's key is as `holds` wants it.
async fn all_keys(
    cluster: &Cluster,
    what: &str,
    deadline: Duration,
    holds: impl Fn(&EncryptionStatus) -> bool,
) -> anyhow::Result<()> {
    wait_for(what, deadline, async || {
        for member in cluster.members() {
            let key = member.key().await?;
            if !holds(&key) {
                return Err(format!("member {}: {key:?}", member.id()));
            }
        }
        Ok(())
    })
    .await
    .with_context(|| cluster.log_tails())
}

fn at_home(key: &EncryptionStatus) -> bool {
    !key.failed_over && key.region == HOME_REGION && key.verdict == "accessible"
}

fn away(key: &EncryptionStatus) -> bool {
    key.failed_over && key.region == OTHER_REGION && key.verdict == "accessible"
}

fn processes(cluster: &mut Cluster) -> anyhow::Result<Vec<u32>> {
    cluster
        .members_mut()
        .iter_mut()
        .map(|member| {
            ensure!(member.is_running(), "member {} has stopped", member.id());
            member.process_id()
        })
        .collect()
}

/// Every call of the load was done: none failed, none ended in doubt.
fn nothing_failed(ledger: &Ledger) -> anyhow::Result<()> {
    let [done, unknown, not_done] = ledger.counts;
    ensure!(
        unknown + not_done == 0,
        "of the writes {done} were done, {unknown} are in doubt, {not_done} failed"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_outage_of_aws_stops_a_member_or_fails_a_call() -> anyhow::Result<()> {
    let mut rng = seeded("no_outage_of_aws_stops_a_member_or_fails_a_call");
    let mut cluster = ClusterBuilder::new("key-outage")
        .aws(AwsKmsOptions::default())
        .settings(|settings| {
            settings
                .text("health.interval", "2s")
                .text("health.confirm", "2s")
                .text("health.failback_after", "1s")
                // A black hole has to be noticed within the interval, as it is with the options' defaults.
                .text("encryption.connect_timeout", "300ms")
                .text("encryption.attempt_timeout", "400ms")
                .text("encryption.total_timeout", "900ms");
        })
        .start()
        .await?;
    let before = processes(&mut cluster)?;
    let options = LoadOptions { writers: 4, ..LoadOptions::default() };
    let load = Load::start(&cluster.client()?, &options, &mut rng);
    load.progress(50, SOON).await?;

    for fault in [
        Fault::Refused,
        Fault::BlackHole,
        Fault::Reset,
        Fault::Garbage,
        Fault::INTERNAL,
        Fault::DEPENDENCY_TIMEOUT,
    ] {
        let since = Instant::now();
        cluster.aws().region(HOME_REGION).set(fault).await?;
        let what = format!("all members to use {OTHER_REGION} under {fault:?}");
        all_keys(&cluster, &what, FAILED_OVER.saturating_sub(since.elapsed()), away).await?;
        eprintln!("{fault:?}: all members use another Region after {:.1?}", since.elapsed());
        load.progress(20, SOON).await?;
        cluster.aws().region(HOME_REGION).set(Fault::None).await?;
        all_keys(&cluster, "all members to be home again", SOON, at_home).await?;
    }

    // What leaves no Region to go to, or says nothing: it is noticed, and that is all.
    cluster.aws().set_all(Fault::THROTTLED).await?;
    all_keys(&cluster, "throttling to be noticed", SOON, |key| key.verdict == "throttled").await?;
    load.progress(20, SOON).await?;
    cluster.aws().set_all(Fault::None).await?;
    all_keys(&cluster, "throttling to be over", SOON, at_home).await?;

    cluster.aws().sts().set(Fault::Refused).await?;
    let unreachable = |key: &EncryptionStatus| key.verdict == "unreachable" && key.denied_in_a_row == 0;
    all_keys(&cluster, "the outage of STS to be noticed", SOON, unreachable).await?;
    load.progress(20, SOON).await?;

    // The sessions that members still have are over, too.
    cluster.aws().emulator().expire_sessions();
    cluster.aws().set_all(Fault::EXPIRED_TOKEN).await?;
    let asked = Instant::now();
    all_keys(&cluster, "a probe with sessions that are over", SOON, |key| {
        unreachable(key) && u128::from(key.last_probe_age_ms) < asked.elapsed().as_millis()
    })
    .await?;
    load.progress(20, SOON).await?;
    cluster.aws().set_all(Fault::None).await?;
    cluster.aws().sts().set(Fault::None).await?;
    all_keys(&cluster, "all members to be home again", SOON, at_home).await?;

    assert_eq!(processes(&mut cluster)?, before, "a member was started again");
    let ledger = load.stop().await?;
    nothing_failed(&ledger)?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    // An outage is what a person has to look at.
    cluster.finish_expecting(&["kms_unreachable"])
}

/// Puts Regions of the local KMS out, or back.
fn put_out(cluster: &Cluster, regions: &[&str], out: bool) -> anyhow::Result<()> {
    for region in regions {
        let region = Region::parse(region)?;
        let admin = cluster.kms().admin();
        if out { admin.outage(&region)? } else { admin.restore(&region)? }
    }
    Ok(())
}

async fn all_sealed(cluster: &Cluster) -> anyhow::Result<()> {
    for member in cluster.members() {
        let status = member.wait_state(MemberState::Sealed, SOON).await?;
        ensure!(!status.state_reason.is_empty() && !status.help_code.is_empty(), "{status:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_members_serve_when_a_region_answers_or_is_named() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("key-outage-sealed")
        .settings(|settings| {
            settings
                .raw("encryption.regions", format!("[\"{HOME_REGION}\", \"{OTHER_REGION}\"]"))
                .text("health.failback_after", "1s");
        })
        .start()
        .await?;
    cluster.kms().admin().replicate(cluster.kms().cmk(), &Region::parse(SPARE_REGION)?)?;
    let client = cluster.client()?;
    let collection = client.database("db").collection("c");
    collection.insert_one(doc! { "_id": 1 }).await?;

    // Home is out: a member that starts uses the other Region.
    put_out(&cluster, &[HOME_REGION], true)?;
    cluster.kill_all()?;
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;
    all_keys(&cluster, "all members to use the other Region", SOON, away).await?;

    // No Region answers: sealed, until one does.
    put_out(&cluster, &[OTHER_REGION, SPARE_REGION], true)?;
    cluster.kill_all()?;
    cluster.start_all()?;
    all_sealed(&cluster).await?;
    put_out(&cluster, &[OTHER_REGION], false)?;
    cluster.wait_serving(SOON).await?;
    assert_eq!(collection.count(&doc! {}, CountOptions::default()).await?.count, 1);

    // All are sealed and no configured Region answers: one with a replica is named by hand, member by member.
    put_out(&cluster, &[OTHER_REGION], true)?;
    cluster.kill_all()?;
    cluster.start_all()?;
    all_sealed(&cluster).await?;
    let refused = cluster.coffer(&["kms", "set-region", SPARE_REGION, "--all"]).await?;
    ensure!(refused.status != 0, "a Region that does not answer was taken: {refused:?}");
    put_out(&cluster, &[SPARE_REGION], false)?;
    cluster.coffer(&["kms", "set-region", SPARE_REGION, "--all"]).await?.succeeded()?;
    cluster.wait_serving(SOON).await?;
    all_keys(&cluster, "the override to be told", SOON, |key| {
        key.override_region == SPARE_REGION && key.region == SPARE_REGION && key.home_region == HOME_REGION
    })
    .await?;
    for member in cluster.members() {
        let alerts = member.open_alerts().await.map_err(anyhow::Error::msg)?;
        ensure!(alerts.contains("override"), "member {} has the alerts {alerts:?}", member.id());
    }
    assert!(cluster.coffer(&["status"]).await?.stdout.contains("override"), "status marks it");

    // It outlives a restart, and ends when the replica set's own setting adopts the Region.
    let leader = cluster.leader().await?;
    cluster.member_mut(leader).kill();
    cluster.member_mut(leader).start()?;
    cluster.wait_serving(SOON).await?;
    assert_eq!(cluster.member(leader).key().await.map_err(anyhow::Error::msg)?.override_region, SPARE_REGION);
    cluster.coffer(&["kms", "set-region", SPARE_REGION, "--only"]).await?.succeeded()?;
    all_keys(&cluster, "the setting to replace the override", SOON, |key| {
        key.override_region.is_empty() && key.home_region == SPARE_REGION && !key.failed_over
    })
    .await?;
    cluster.kill_all()?;
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;
    assert_eq!(collection.count(&doc! {}, CountOptions::default()).await?.count, 1);
    // An outage is what a person has to look at.
    cluster.finish_expecting(&["kms_unreachable"])
}
