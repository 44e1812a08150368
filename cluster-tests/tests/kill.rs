//! Members are killed with SIGKILL under a load, one or all at once, and come back: every acknowledged write is there,
//! none took effect twice, and the members agree.

use std::time::{Duration, Instant};

use coffer_cluster_tests::workload::{Load, LoadOptions};
use coffer_cluster_tests::{ClusterBuilder, invariants, seeded};
use rand::RngExt as _;
use rand::seq::IndexedRandom;

/// How long members are killed.
const FAULTS: Duration = Duration::from_secs(45);

/// Acknowledged writes between two faults, so that each hits a replica set at work.
const WORK: u64 = 150;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_write_is_lost_by_kills() -> anyhow::Result<()> {
    let mut rng = seeded("no_acknowledged_write_is_lost_by_kills");
    let mut cluster = ClusterBuilder::new("kill").start().await?;
    let client = cluster.client()?;
    let options = LoadOptions::default();
    let load = Load::start(&client, &options, &mut rng);
    load.progress(WORK, SOON).await?;

    let started = Instant::now();
    let mut faults = Vec::new();
    while started.elapsed() < FAULTS {
        let fault = rng.random_range(0..4);
        match fault {
            0 => {
                // All at once: a crash of the room.
                cluster.kill_all()?;
                cluster.start_all()?;
            }
            1 => {
                let leader = cluster.leader().await?;
                cluster.member_mut(leader).kill();
                // The others go on without it.
                load.progress(WORK, SOON).await?;
                cluster.member_mut(leader).start()?;
            }
            2 => {
                let any = *cluster.ids().choose(&mut rng).expect("three members");
                cluster.member_mut(any).kill();
                cluster.member_mut(any).start()?;
            }
            _ => {
                let any = *cluster.ids().choose(&mut rng).expect("three members");
                cluster.member_mut(any).freeze()?;
                load.progress(WORK, SOON).await?;
                cluster.member_mut(any).thaw()?;
            }
        }
        faults.push(fault);
        cluster.wait_serving(SOON).await?;
        load.progress(WORK, SOON).await?;
    }

    let ledger = load.stop().await?;
    eprintln!(
        "{} faults {faults:?}; writes acknowledged, unknown, refused: {:?}",
        faults.len(),
        ledger.counts
    );
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;

    // What members have in memory is also what they find on disk.
    cluster.kill_all()?;
    cluster.start_all()?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}
