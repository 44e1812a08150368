//! What of the keys is in the memory of a member, looked at from outside.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use bson::doc;
use coffer_cluster_tests::live_keys::LiveKeys;
use coffer_cluster_tests::memory_scan::{Found, Needles};
use coffer_cluster_tests::{Cluster, ClusterBuilder, wait_for};

const SOON: Duration = Duration::from_secs(30);

/// The exit status of a member whose key was taken away.
const REVOKED: i32 = 77;

/// What a member says when it has closed everything and waits for the test.
const PAUSED: &str = "paused before the exit";

async fn serving(name: &str) -> anyhow::Result<Cluster> {
    let mut cluster = ClusterBuilder::new(name).members(1).prepare().await?;
    let go = cluster.folder().join("go");
    cluster.member_mut(1).environment("COFFER_TEST_PAUSE_BEFORE_EXIT", go.to_str().unwrap_or_default());
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;
    let client = cluster.client()?;
    for database in ["one", "two", "three"] {
        let collection = client.database(database).collection("c");
        for n in 0..50 {
            collection.insert_one(doc! { "_id": n, "text": "x".repeat(1_000) }).await?;
        }
    }
    Ok(cluster)
}

/// The keys of the member, all of which it has in memory.
async fn keys_in_memory(cluster: &mut Cluster) -> anyhow::Result<(Needles, Vec<Found>)> {
    let keys = LiveKeys::read(&cluster.member(1).data_dir(), cluster.kms().dir()).await?;
    assert!(
        keys.master.len() == 1 && keys.raft.len() == 1 && keys.databases.len() == 4 && keys.files.len() > 4
    );
    let needles = keys.needles();
    let id = cluster.member_mut(1).process_id()?;
    let found = needles.scan(id)?;
    let names: BTreeSet<_> = found.iter().map(|found| found.name.as_str()).collect();
    for name in ["master key 0", "raft key 0", "database key 0", "database key 3"] {
        assert!(
            names.contains(format!("{name} (bytes)").as_str()),
            "the scan does not find the {name}: {found:#?}"
        );
    }
    // The keys of open files: round keys of AES begin with the key itself.
    assert!(names.iter().any(|name| name.starts_with("file key")), "{found:#?}");
    Ok((needles, found))
}

/// Waits until the member has closed everything, and looks for the keys.
async fn at_the_pause(cluster: &mut Cluster, needles: &Needles) -> anyhow::Result<Vec<Found>> {
    let member = cluster.member(1);
    let paused = async || if member.output().contains(PAUSED) { Ok(()) } else { Err(member.log_tail()) };
    wait_for("the pause before the exit", SOON, paused).await?;
    let id = cluster.member_mut(1).process_id()?;
    needles.scan(id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_member_leaves_no_key_in_its_memory() -> anyhow::Result<()> {
    let mut cluster = serving("memory-revoked").await?;
    let (needles, _) = keys_in_memory(&mut cluster).await?;
    cluster.kms().disable()?;
    let left = at_the_pause(&mut cluster, &needles).await?;
    assert!(left.is_empty(), "{left:#?}");
    fs::write(cluster.folder().join("go"), "")?;
    assert_eq!(cluster.member_mut(1).exited(SOON).await?.code(), Some(REVOKED));
    cluster.finish_expecting(&["denied", "Denied", "revoked", "DisabledException"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_member_leaves_no_key_in_its_memory() -> anyhow::Result<()> {
    let mut cluster = serving("memory-stopped").await?;
    let (needles, _) = keys_in_memory(&mut cluster).await?;
    cluster.member_mut(1).terminate()?;
    let left = at_the_pause(&mut cluster, &needles).await?;
    assert!(left.is_empty(), "{left:#?}");
    fs::write(cluster.folder().join("go"), "")?;
    assert_eq!(cluster.member_mut(1).exited(SOON).await?.code(), Some(0));
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_of_a_serving_member_would_hold_no_key() -> anyhow::Result<()> {
    let mut cluster = serving("memory-core").await?;
    let (_, found) = keys_in_memory(&mut cluster).await?;
    // A core holds every page but those that are left out (madvise(2), MADV_DONTDUMP).
    let dumped: Vec<_> = found.iter().filter(|found| !found.undumped).collect();
    assert!(dumped.is_empty(), "{dumped:#?}");
    fs::write(cluster.folder().join("go"), "")?;
    cluster.finish()
}
