//! A member refuses to start on what is not its own present: another's keystore, another's directory, an older copy of
//! its own, a log that was cut. It says why, and with the right directory it serves.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use coffer_cluster_tests::files::{copy_folder, files_under, replace_folder};
use coffer_cluster_tests::stream_file::{cut_after_frame, frame_ends};
use coffer_cluster_tests::workload::{Load, LoadOptions};
use coffer_cluster_tests::{Cluster, ClusterBuilder, invariants, seeded};

const SOON: Duration = Duration::from_secs(30);

/// The exit status of a member whose directory is not its own.
const FOREIGN: i32 = 76;

/// The exit status of a member that its peers remember to have known more.
const WENT_BACK: i32 = 78;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_members_keystore_or_directory_is_refused() -> anyhow::Result<()> {
    let mut rng = seeded("another_members_keystore_or_directory_is_refused");
    let mut cluster = ClusterBuilder::new("foreign-directory").start().await?;
    let options = LoadOptions::default();
    let load = Load::start(&cluster.client()?, &options, &mut rng);
    load.progress(200, SOON).await?;
    let ledger = load.stop().await?;

    cluster.member_mut(1).kill();
    cluster.member_mut(2).kill();
    let (own, other) = (cluster.member(2).data_dir(), cluster.member(1).data_dir());
    let saved = cluster.folder().join("saved");
    copy_folder(&own, &saved)?;

    fs::copy(cluster.member(1).keystore(), cluster.member(2).keystore())?;
    let said = cluster.member_mut(2).start_refused(FOREIGN, SOON).await?;
    assert!(said.contains("keystore"), "{said}");

    replace_folder(&other, &own)?;
    let said = cluster.member_mut(2).start_refused(FOREIGN, SOON).await?;
    assert!(said.contains("member"), "{said}");

    // With the other's identity put right by hand it is still the other's keystore.
    fs::copy(saved.join("identity.json"), own.join("identity.json"))?;
    cluster.member_mut(2).start_refused(FOREIGN, SOON).await?;

    replace_folder(&saved, &own)?;
    cluster.start_all()?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_of_its_own_directory_is_refused() -> anyhow::Result<()> {
    let mut rng = seeded("an_older_copy_of_its_own_directory_is_refused");
    let mut cluster = ClusterBuilder::new("older-copy").start().await?;
    let options = LoadOptions::default();
    let load = Load::start(&cluster.client()?, &options, &mut rng);
    load.progress(100, SOON).await?;

    for id in cluster.ids() {
        let (own, copy) = (cluster.member(id).data_dir(), cluster.folder().join(format!("copy-{id}")));
        // As a careless backup takes it: file by file, while the member runs. It is frozen for that, or the copy would
        // be refused for being torn and not for being old.
        cluster.member_mut(id).freeze()?;
        let copied = copy_folder(&own, &copy);
        cluster.member_mut(id).thaw()?;
        copied?;
        cluster.wait_serving(SOON).await?;
        load.progress(100, SOON).await?;

        cluster.member_mut(id).kill();
        let newest = cluster.folder().join(format!("newest-{id}"));
        fs::rename(&own, &newest)?;
        copy_folder(&copy, &own)?;
        let said = cluster.member_mut(id).start_refused(WENT_BACK, SOON).await?;
        assert!(said.contains("new id"), "it does not say how to rejoin: {said}");

        fs::remove_dir_all(&own)?;
        fs::rename(&newest, &own)?;
        cluster.member_mut(id).start()?;
        cluster.wait_serving(SOON).await?;
    }
    let ledger = load.stop().await?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}

/// The newest WAL of a member's Raft log.
fn newest_wal(cluster: &Cluster, id: u64) -> anyhow::Result<PathBuf> {
    let folder = cluster.member(id).data_dir().join("raft");
    let mut logs = files_under(&folder)?;
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.pop().with_context(|| format!("no WAL in {}", folder.display()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_cut_at_a_frame_is_caught_by_the_peers() -> anyhow::Result<()> {
    let mut rng = seeded("a_log_cut_at_a_frame_is_caught_by_the_peers");
    let mut cluster = ClusterBuilder::new("cut-log").start().await?;
    let client = cluster.client()?;
    let options = LoadOptions::default();
    let load = Load::start(&client, &options, &mut rng);
    load.progress(300, SOON).await?;

    let leader = cluster.leader().await?;
    let follower = cluster.ids().into_iter().find(|id| *id != leader).context("a follower")?;
    for (victim, role) in [(follower, "a follower"), (leader, "the leader")] {
        load.progress(100, SOON).await?;
        cluster.member_mut(victim).kill();
        // The others noticed it, and remember what it had.
        load.progress(20, SOON).await?;
        let own = cluster.member(victim).data_dir();
        let whole = cluster.folder().join(format!("whole-{victim}"));
        copy_folder(&own, &whole)?;
        let wal = newest_wal(&cluster, victim)?;
        let frames = frame_ends(&wal)?.len();
        cut_after_frame(&wal, frames * 3 / 4)?;
        let said = cluster.member_mut(victim).start_refused(WENT_BACK, SOON).await?;
        assert!(said.contains("new id"), "{role} does not say how to rejoin: {said}");

        // The refused start has opened the log that was cut: the whole directory has to come back.
        replace_folder(&whole, &own)?;
        cluster.member_mut(victim).start()?;
        cluster.wait_serving(SOON).await?;
    }
    let ledger = load.stop().await?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}
