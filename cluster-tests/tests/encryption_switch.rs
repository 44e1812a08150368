//! Encryption is turned off, on, off and on again for a replica set with data, under a load: the members restart themselves one
//! after the other, the replica set serves throughout, no write is lost, and what is sealed shows nothing of what clients wrote.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bson::doc;
use coffer_client::CountOptions;
use coffer_cluster_tests::invariants::{self, files_with_marker};
use coffer_cluster_tests::workload::{Load, LoadOptions};
use coffer_cluster_tests::{Cluster, ClusterBuilder, seeded};

const SOON: Duration = Duration::from_secs(30);

/// Three members restart, copy their data and catch up, one after the other.
const SWITCHED: Duration = Duration::from_secs(120);

const MARKER: &str = "Sw-8f1c6f0f7a3e-itch";

/// The members that have not their data in this form; one that restarts does not answer.
async fn behind(cluster: &Cluster, encrypted: bool) -> Vec<u64> {
    let mut behind = Vec::new();
    for member in cluster.members() {
        if !member.keys().await.is_ok_and(|keys| keys.encryption_enabled == encrypted) {
            behind.push(member.id());
        }
    }
    behind
}

/// Asks for a change as an operator does, and waits until every member has made it. The replica set serves meanwhile.
async fn switch(cluster: &Cluster, load: &Load, encrypted: bool) -> anyhow::Result<()> {
    let since = Instant::now();
    let command = if encrypted { &["encryption", "enable"][..] } else { &["encryption", "disable", "--yes"] };
    cluster.coffer(command).await?.succeeded()?;
    loop {
        let left = behind(cluster, encrypted).await;
        if left.is_empty() {
            break;
        }
        load.progress(10, SOON).await.context("writes while members change their form")?;
        if since.elapsed() > SWITCHED {
            anyhow::bail!("after {SWITCHED:?} members {left:?} are behind\n{}", cluster.log_tails());
        }
    }
    eprintln!("encryption {encrypted}: every member has changed its form after {:.1?}", since.elapsed());
    Ok(())
}

/// How many files of each member show what a client wrote.
fn shown(cluster: &Cluster) -> anyhow::Result<Vec<usize>> {
    let marker = [MARKER.to_owned()];
    cluster.members().iter().map(|member| Ok(files_with_marker(&member.data_dir(), &marker)?.len())).collect()
}

fn processes(cluster: &mut Cluster) -> anyhow::Result<Vec<u32>> {
    cluster.members_mut().iter_mut().map(coffer_cluster_tests::Member::process_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_goes_off_and_on_under_a_load_and_nothing_is_lost() -> anyhow::Result<()> {
    let mut rng = seeded("encryption_goes_off_and_on_under_a_load_and_nothing_is_lost");
    let mut cluster = ClusterBuilder::new("encryption-switch")
        .settings(|settings| {
            settings.raw("encryption.allow_off", true);
        })
        .start()
        .await?;
    let client = cluster.client()?;
    let marked = client.database(format!("db-{MARKER}")).collection(format!("c-{MARKER}"));
    marked.insert_one(doc! { "_id": MARKER, MARKER: MARKER }).await?;
    let options = LoadOptions { writers: 2, ..LoadOptions::default() };
    let load = Load::start(&client, &options, &mut rng);
    load.progress(100, SOON).await?;
    assert_eq!(shown(&cluster)?, [0, 0, 0]);
    let before = processes(&mut cluster)?;

    for encrypted in [false, true, false, true] {
        switch(&cluster, &load, encrypted).await?;
        let files = shown(&cluster)?;
        if encrypted {
            ensure!(files == [0, 0, 0], "sealed, and so many files of each member show a marker: {files:?}");
        } else {
            ensure!(files.iter().all(|files| *files > 0), "in the clear, and no marker is found: {files:?}");
        }
    }
    assert_eq!(processes(&mut cluster)?, before, "members restart in their own place");

    let ledger = load.stop().await?;
    let [written, unknown, not_done] = ledger.counts;
    ensure!(unknown + not_done == 0, "{written} writes were done, {unknown} are in doubt, {not_done} failed");
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    assert_eq!(marked.count(&doc! {}, CountOptions::default()).await?.count, 1);
    // What is on the disks is all that there is.
    cluster.kill_all()?;
    cluster.start_all()?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    assert_eq!(shown(&cluster)?, [0, 0, 0]);
    for member in cluster.members() {
        invariants::old_keys_gone(&member.data_dir())?;
    }
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_stays_on_where_a_configuration_wants_it() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("encryption-stays").prepare().await?;
    for id in [1, 3] {
        cluster.member_mut(id).configure(|settings| {
            settings.raw("encryption.allow_off", true);
        })?;
    }
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;

    let refused = cluster.coffer(&["encryption", "disable", "--yes"]).await?.ended_with(1)?;
    ensure!(refused.stderr.contains("member 2") && refused.stderr.contains("CK0046"), "{refused:?}");
    ensure!(!refused.stderr.contains("members 1"), "it names members that allow it: {refused:?}");
    let status = cluster.cli().json(&["encryption", "status"]).await?;
    let members = status["members"].as_array().context("members")?;
    let told: Vec<_> = members.iter().map(|member| (&member["enabled"], &member["may_turn_off"])).collect();
    let (yes, no) = (serde_json::Value::from(true), serde_json::Value::from(false));
    assert_eq!(told, [(&yes, &yes), (&yes, &no), (&yes, &yes)], "{status}");
    ensure!(status["tasks"].as_array().is_some_and(Vec::is_empty), "it is under way all the same: {status}");
    cluster.finish()
}
