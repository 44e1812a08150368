//! Nothing that clients write can be read from the disks or the logs of members, at any time; and with encryption off
//! the same search finds it, so the search works.

use std::path::PathBuf;
use std::time::Duration;

use bson::doc;
use coffer_client::{InsertManyOptions, UpdateOptions};
use coffer_cluster_tests::invariants::files_with_marker;
use coffer_cluster_tests::workload::bulk;
use coffer_cluster_tests::{Cluster, ClusterBuilder, seeded, wait_for};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// Markers by what they are written as.
struct Markers {
    database: String,
    collection: String,
    field: String,
    id: String,
    value: String,
    updated: String,
    late: String,
}

impl Markers {
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let mut marker =
            |kind: &str| format!("{kind}{:016x}{:08x}", rng.random::<u64>(), rng.random::<u32>());
        Self {
            database: marker("Db"),
            collection: marker("Co"),
            field: marker("Fi"),
            id: marker("Id"),
            value: marker("Va"),
            updated: marker("Up"),
            late: marker("La"),
        }
    }

    fn all(&self) -> Vec<String> {
        let Self { database, collection, field, id, value, updated, late } = self;
        [database, collection, field, id, value, updated, late].map(Clone::clone).to_vec()
    }
}

/// The least that is allowed, so that the log is purged after some 32 MiB.
fn small_log(builder: ClusterBuilder) -> ClusterBuilder {
    builder.settings(|settings| {
        settings
            .text("storage.max_log_size", "32MiB")
            .text("storage.max_replay_size", "4MiB")
            .text("storage.write_buffers", "8MiB")
            .text("log.level", "debug");
    })
}

/// Files with markers among the data directories and logs of all members.
fn found(cluster: &Cluster, markers: &Markers) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for member in cluster.members() {
        found.extend(files_with_marker(&member.data_dir(), &markers.all())?);
    }
    found.extend(files_with_marker(&cluster.folder().join("member-1/logs"), &markers.all())?);
    for id in cluster.ids() {
        found.extend(files_with_marker(&cluster.folder().join(format!("member-{id}/logs")), &markers.all())?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Writes markers in every way, has a new member take a snapshot, and kills all members with SIGKILL. `look` is called
/// while the members run, after the snapshot, and after the kill.
async fn write_everywhere(
    cluster: &mut Cluster,
    markers: &Markers,
    rng: &mut ChaCha8Rng,
    mut look: impl FnMut(&Cluster, &str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let client = cluster.client()?;
    let collection = client.database(&markers.database).collection(&markers.collection);
    let document = |n: i32| {
        let mut document = doc! { "_id": format!("{}-{n}", markers.id), "n": n };
        document.insert(&markers.field, &markers.value);
        document
    };
    collection.insert_many((0..50).map(document), InsertManyOptions::default()).await?;
    let mut set = doc! {};
    set.insert(&markers.field, &markers.updated);
    let some = doc! { "n": { "$gte": 25 } };
    collection.update_many(&some, &doc! { "$set": set }, UpdateOptions::default()).await?;
    collection.delete_one(&doc! { "n": 49 }).await?;
    // A query with a marker in it, that fails: errors must not carry it to a log.
    let wrong = doc! { &markers.field: { "$inc": &markers.value } };
    assert!(collection.find_one(&wrong, coffer_client::FindOptions::default()).await.is_err());
    look(cluster, "while the members run")?;

    // Enough that the log begins after what a new member needs: only a snapshot brings it there.
    bulk(&client.database(&markers.database).collection("bulk"), 0, 60, 1 << 20, rng).await?;
    let leader = cluster.leader().await?;
    wait_for("the log to be purged", Duration::from_secs(30), async || {
        let status = cluster.member(leader).status().await.map_err(|error| error.to_string())?;
        if status.purged_index > 10 { Ok(()) } else { Err(format!("purged up to {}", status.purged_index)) }
    })
    .await?;
    cluster.join(4).await?;
    cluster.wait_converged(Duration::from_secs(60)).await?;
    look(cluster, "after a snapshot was taken in")?;

    collection.insert_one(doc! { "_id": "late", "late": &markers.late }).await?;
    cluster.kill_all()?;
    look(cluster, "after a kill")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_marker_can_be_read_from_disks_and_logs() -> anyhow::Result<()> {
    let mut rng = seeded("no_marker_can_be_read_from_disks_and_logs");
    let markers = Markers::random(&mut rng);
    let mut cluster = small_log(ClusterBuilder::new("markers")).start().await?;
    write_everywhere(&mut cluster, &markers, &mut rng, |cluster, when| {
        let found = found(cluster, &markers)?;
        assert!(found.is_empty(), "{when}: {found:#?}");
        Ok(())
    })
    .await?;
    // What cannot be read is there all the same.
    cluster.start_all()?;
    cluster.wait_serving(Duration::from_secs(30)).await?;
    let collection = cluster.client()?.database(&markers.database).collection(&markers.collection);
    assert_eq!(collection.count(&doc! {}, Default::default()).await?.count, 50);
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_encryption_the_same_search_finds_every_marker() -> anyhow::Result<()> {
    let mut rng = seeded("without_encryption_the_same_search_finds_every_marker");
    let markers = Markers::random(&mut rng);
    let mut cluster = small_log(ClusterBuilder::new("markers-plain")).plaintext().start().await?;
    let mut seen = Vec::new();
    write_everywhere(&mut cluster, &markers, &mut rng, |cluster, _| {
        seen.extend(found(cluster, &markers)?);
        Ok(())
    })
    .await?;
    for marker in markers.all() {
        assert!(seen.iter().any(|(_, found)| *found == marker), "{marker} was not found");
    }
    // The newcomer has them from the snapshot alone.
    assert!(seen.iter().any(|(path, _)| path.starts_with(cluster.member(4).data_dir())));
    let logs: Vec<_> =
        seen.iter().filter(|(path, _)| path.components().any(|part| part.as_os_str() == "logs")).collect();
    assert!(logs.is_empty(), "logs are no place for documents, encrypted or not: {logs:?}");
    cluster.finish()
}
