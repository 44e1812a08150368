//! A member whose directory is gone comes back under a new id, by a snapshot, with keys of its own; under its old id it
//! is refused.

use std::fs;
use std::time::Duration;

use bson::doc;
use coffer_cluster_tests::workload::{Load, LoadOptions, bulk};
use coffer_cluster_tests::{ClusterBuilder, invariants, seeded, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// The exit status of a member that its peers remember to have known more.
const WENT_BACK: i32 = 78;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_member_is_replaced_under_a_new_id() -> anyhow::Result<()> {
    let mut rng = seeded("a_lost_member_is_replaced_under_a_new_id");
    let builder = ClusterBuilder::new("lost-directory").settings(|settings| {
        settings
            .text("storage.max_log_size", "32MiB")
            .text("storage.max_replay_size", "4MiB")
            .text("storage.write_buffers", "8MiB");
    });
    let mut cluster = builder.start().await?;
    let client = cluster.client()?;
    let options = LoadOptions::default();
    let load = Load::start(&client, &options, &mut rng);
    load.progress(200, SOON).await?;
    let mut ledger = load.stop().await?;
    bulk(&client.database("bulk").collection("c"), 0, 60, 1 << 20, &mut rng).await?;
    let leader = cluster.leader().await?;
    wait_for("the log to be purged", SOON, async || {
        let status = cluster.member(leader).status().await.map_err(|error| error.to_string())?;
        if status.purged_index > 200 { Ok(()) } else { Err(format!("purged up to {}", status.purged_index)) }
    })
    .await?;

    // The directory of member 3 is lost, and somebody starts it again as if nothing were.
    cluster.member_mut(3).kill();
    fs::rename(cluster.member(3).data_dir(), cluster.folder().join("lost"))?;
    let said = cluster.member_mut(3).start_refused(WENT_BACK, SOON).await?;
    assert!(said.contains("new id"), "it does not say how to rejoin: {said}");

    // The way back: a new id.
    cluster.join(4).await?;
    let admin = client.admin();
    // It takes in a snapshot while writes go on.
    let load = Load::start(&client, &LoadOptions { first_writer: 100, ..options.clone() }, &mut rng);
    cluster.wait_serving(SOON).await?;
    load.progress(100, SOON).await?;
    admin.promote_member(4).await?;
    let members = admin.remove_member(3).await?;
    assert_eq!(members.iter().map(|member| member.id).collect::<Vec<_>>(), [1, 2, 4]);
    cluster.forget(3);
    load.progress(100, SOON).await?;
    ledger.merge(load.stop().await?);

    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    invariants::hashes_agree(&mut cluster, "bulk", SOON).await?;
    let mut keystores: Vec<_> = cluster.members().iter().map(|member| member.keystore()).collect();
    keystores.push(cluster.folder().join("lost/keyring/keystore.json"));
    invariants::independent_keys(&keystores)?;
    let status = cluster.member(4).status().await?;
    assert!(status.generation > 0, "member 4 has no generation: {status:?}");

    // The newcomer counts: with it and one other there is a majority.
    cluster.member_mut(1).kill();
    cluster.wait_serving(SOON).await?;
    client.database("after").collection("c").insert_one(doc! { "_id": 1 }).await?;
    cluster.member_mut(1).start()?;
    // And it restarts from what the snapshot left.
    cluster.wait_serving(SOON).await?;
    cluster.member_mut(4).kill();
    cluster.member_mut(4).start()?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}
