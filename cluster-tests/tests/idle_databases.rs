//! One busy database among fifty idle ones: the log stays bounded, memory too, and every member restarts.

use std::time::Duration;

use bson::doc;
use coffer_client::CountOptions;
use coffer_cluster_tests::workload::bulk;
use coffer_cluster_tests::{ClusterBuilder, invariants, seeded, wait_for};

const IDLE: usize = 50;
const SOON: Duration = Duration::from_secs(60);

/// What is written in all: three times what the log may hold.
const DOCUMENTS: i64 = 200;
const BYTES: usize = 512 << 10;

const MAX_LOG: u64 = 32 << 20;

/// 50 databases, write buffers, caches and what an allocator keeps back; without a bound 100 MiB of unflushed writes
/// and log would come on top.
const MAX_RESIDENT: u64 = 300 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_databases_hold_back_neither_log_nor_memory() -> anyhow::Result<()> {
    let mut rng = seeded("idle_databases_hold_back_neither_log_nor_memory");
    let builder = ClusterBuilder::new("idle-databases").settings(|settings| {
        settings
            .text("storage.max_log_size", "32MiB")
            .text("storage.max_replay_size", "8MiB")
            .text("storage.write_buffers", "16MiB")
            .text("storage.block_cache", "16MiB");
    });
    let mut cluster = builder.start().await?;
    let client = cluster.client()?;
    for n in 0..IDLE {
        client
            .database(format!("idle{n}"))
            .collection("c")
            .insert_one(doc! { "_id": 1, "n": n as i64 })
            .await?;
    }

    let busy = client.database("busy").collection("c");
    for round in 0..DOCUMENTS / 20 {
        bulk(&busy, round * 20, 20, BYTES, &mut rng).await?;
        for member in cluster.members() {
            let status = member.status().await?;
            // The bound, what arrives until the purge, and files that are freed whole.
            assert!(
                status.log_bytes < 2 * MAX_LOG,
                "the log of member {} has {} bytes after round {round}",
                member.id(),
                status.log_bytes
            );
        }
    }

    for id in cluster.ids() {
        let purged = wait_for("the log to be purged", SOON, async || {
            let status = cluster.member(id).status().await.map_err(|error| error.to_string())?;
            let enough = status.purged_index > IDLE as u64 && status.log_bytes <= MAX_LOG;
            if enough { Ok(status.purged_index) } else { Err(format!("{status:?}")) }
        })
        .await?;
        let resident = cluster.member_mut(id).resident_bytes()?;
        eprintln!("member {id}: purged up to {purged}, {} MiB resident", resident >> 20);
        assert!(resident < MAX_RESIDENT, "member {id} has {resident} bytes resident");
    }

    for id in cluster.ids() {
        let member = cluster.member_mut(id);
        member.kill();
        member.start()?;
        cluster.wait_serving(SOON).await?;
    }
    cluster.kill_all()?;
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;
    assert_eq!(busy.count(&doc! {}, CountOptions::default()).await?.count, DOCUMENTS as u64);
    for n in [0, IDLE / 2, IDLE - 1] {
        let idle = client.database(format!("idle{n}")).collection("c");
        assert_eq!(idle.count(&doc! { "n": n as i64 }, CountOptions::default()).await?.count, 1);
    }
    for database in ["busy", "idle0", "idle49"] {
        invariants::hashes_agree(&mut cluster, database, SOON).await?;
    }
    cluster.finish()
}
