//! Encryption is turned off and on again for a replica set with data, under a load: the members restart themselves one after
//! the other, no write is lost, and what is sealed shows nothing of what clients wrote.

use std::time::Duration;

use bson::doc;
use coffer_cluster_tests::invariants::files_with_marker;
use coffer_cluster_tests::workload::{Load, LoadOptions};
use coffer_cluster_tests::{Cluster, ClusterBuilder, invariants, seeded, wait_for};

const SOON: Duration = Duration::from_secs(30);

/// Three members restart, copy their data and catch up, on a machine that does something else too.
const SWITCHED: Duration = Duration::from_secs(150);

const MARKER: &str = "Ma-8f1c6f0f7a3e-rker";

/// Waits until every member has its data in one form.
async fn until_all(cluster: &Cluster, encrypted: bool) -> anyhow::Result<()> {
    let all = async || {
        for member in cluster.members() {
            // While it restarts it does not answer.
            let keys = member.keys().await.map_err(|error| format!("member {}: {error}", member.id()))?;
            if keys.encryption_enabled != encrypted {
                return Err(format!("member {} has the other form", member.id()));
            }
        }
        Ok(())
    };
    wait_for(&format!("encryption {encrypted} everywhere"), SWITCHED, all).await
}

/// How many files of each member show what a client wrote.
fn shown(cluster: &Cluster) -> anyhow::Result<Vec<usize>> {
    let marker = [MARKER.to_owned()];
    cluster.members().iter().map(|member| Ok(files_with_marker(&member.data_dir(), &marker)?.len())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_goes_off_and_on_again_under_a_load() -> anyhow::Result<()> {
    let mut rng = seeded("encryption_goes_off_and_on_again_under_a_load");
    let mut cluster = ClusterBuilder::new("encryption-switch")
        .settings(|settings| {
            settings.raw("encryption.allow_off", true);
        })
        .start()
        .await?;
    let client = cluster.client()?;
    client.database("shop").collection("c").insert_one(doc! { "_id": 1, "text": MARKER }).await?;
    let options = LoadOptions::default();
    let load = Load::start(&client, &options, &mut rng);
    load.progress(100, SOON).await?;
    assert_eq!(shown(&cluster)?, [0, 0, 0]);
    let mut processes = Vec::new();
    for member in cluster.members_mut() {
        processes.push(member.process_id()?);
    }

    cluster.coffer(&["encryption", "disable", "--yes"]).await?.ended_with(0)?;
    until_all(&cluster, false).await?;
    assert!(shown(&cluster)?.iter().all(|files| *files > 0), "what is in the clear is found");
    load.progress(100, SOON).await?;

    cluster.coffer(&["encryption", "enable"]).await?.ended_with(0)?;
    until_all(&cluster, true).await?;
    assert_eq!(shown(&cluster)?, [0, 0, 0], "nothing of the old form is left");
    load.progress(100, SOON).await?;

    let mut same = Vec::new();
    for member in cluster.members_mut() {
        same.push(member.process_id()?);
    }
    assert_eq!(same, processes, "they restart in their own place");
    let ledger = load.stop().await?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    // What is written is what is read after a crash.
    cluster.kill_all()?;
    cluster.start_all()?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_stays_on_where_one_configuration_wants_it() -> anyhow::Result<()> {
    let cluster = ClusterBuilder::new("encryption-stays").start().await?;
    let refused = cluster.coffer(&["encryption", "disable", "--yes"]).await?;
    assert_ne!(refused.status, 0);
    assert!(
        refused.stderr.contains("members 1, 2 and 3") && refused.stderr.contains("CK0046"),
        "{refused:?}"
    );
    for member in cluster.members() {
        assert!(member.keys().await?.encryption_enabled);
    }
    cluster.finish()
}
