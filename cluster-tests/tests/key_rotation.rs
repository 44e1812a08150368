//! Every kind of key is replaced under a load while a random member is killed in the middle: no call fails, nothing is lost, and
//! nothing of the old keys is left on any disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, ensure};
use coffer_client::Client;
use coffer_client::keys::KeyWorkResponse;
use coffer_cluster_tests::dev_kms::HOME_REGION;
use coffer_cluster_tests::keystore_file::KeystoreFile;
use coffer_cluster_tests::workload::{Load, LoadOptions, bulk};
use coffer_cluster_tests::{Cluster, ClusterBuilder, invariants, seeded, wait_for};
use coffer_keyring::kms::Region;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

const SOON: Duration = Duration::from_secs(30);

/// Three members work one after the other, and one of them comes back first.
const ROTATED: Duration = Duration::from_secs(90);

/// What is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rotation {
    Cmk,
    AllMasters,
    OneMaster,
    Database,
}

fn keystores(cluster: &Cluster) -> anyhow::Result<BTreeMap<u64, KeystoreFile>> {
    let read =
        |member: &coffer_cluster_tests::Member| Ok((member.id(), KeystoreFile::read(&member.keystore())?));
    cluster.members().iter().map(read).collect()
}

async fn key_work(client: &Client) -> Result<KeyWorkResponse, String> {
    client.key_admin().key_work().await.map_err(|error| error.to_string())
}

/// Waits until nothing is left to do on any member, and each has reported what its keystore says.
async fn done(cluster: &Cluster, client: &Client) -> anyhow::Result<()> {
    wait_for("all key work to be done", ROTATED, async || {
        let work = key_work(client).await?;
        if let Some(task) = work.tasks.iter().find(|task| !task.pending.is_empty()) {
            return Err(format!("{task:?}"));
        }
        if work.notices.iter().any(|notice| notice.contains("CK0041")) {
            return Err(format!("{:?}", work.notices));
        }
        Ok(())
    })
    .await
    .with_context(|| cluster.log_tails())
}

/// Whether the keystore of a member is past this rotation.
fn rotated(before: &KeystoreFile, now: &KeystoreFile, database: u64) -> [bool; 2] {
    let newest = |versions: Option<&BTreeSet<u64>>| versions.and_then(|all| all.last().copied());
    [
        newest(Some(&now.masters)) > newest(Some(&before.masters)),
        newest(now.databases.get(&database)) > newest(before.databases.get(&database)),
    ]
}

/// The id of a database by its name.
async fn database_id(cluster: &Cluster, name: &str) -> anyhow::Result<u64> {
    let leader = cluster.leader().await?;
    let keys = cluster.member(leader).keys().await?.keys;
    let found = keys.iter().find(|key| key.level == "database" && key.name == name);
    found
        .and_then(|key| key.id.parse().ok())
        .with_context(|| format!("no key of database {name} in {keys:?}"))
}

/// Asks for it as an operator does. Returns the new CMK where there is one, and whom it is about.
async fn request(
    cluster: &Cluster,
    rotation: Rotation,
    database: &str,
    rng: &mut ChaCha8Rng,
) -> anyhow::Result<(Option<String>, Vec<u64>)> {
    let (mut cmk, mut members) = (None, cluster.ids());
    let arguments: Vec<String> = match rotation {
        Rotation::Cmk => {
            let made = cluster.kms().admin().create(&Region::parse(HOME_REGION)?, false)?.to_string();
            cmk = Some(made.clone());
            ["kms".into(), "set-cmk".into(), made].into()
        }
        Rotation::AllMasters => ["keys", "rotate-master"].map(String::from).into(),
        Rotation::OneMaster => {
            members = vec![members[rng.random_range(0..members.len())]];
            ["keys".into(), "rotate-master".into(), "--member".into(), members[0].to_string()].into()
        }
        Rotation::Database => ["keys", "rotate-database", database].map(String::from).into(),
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    cluster.coffer(&arguments).await?.succeeded()?;
    Ok((cmk, members))
}

/// One rotation with a kill in the middle.
async fn rotate(
    cluster: &mut Cluster,
    client: &Client,
    load: &Load,
    rotation: Rotation,
    options: &LoadOptions,
    rng: &mut ChaCha8Rng,
) -> anyhow::Result<()> {
    let database = database_id(cluster, &options.database).await?;
    let before = keystores(cluster)?;
    let ids = cluster.ids();
    let victim = ids[rng.random_range(0..ids.len())];
    let (cmk, concerned) = request(cluster, rotation, &options.database, rng).await?;
    let behind = rng.random_range(0..concerned.len());
    eprintln!("{rotation:?} of {concerned:?}: member {victim} is killed when {behind} are past it");
    let which = usize::from(rotation == Rotation::Database);
    wait_for("some members to be past the rotation", ROTATED, async || {
        let now = keystores(cluster).map_err(|error| format!("{error:#}"))?;
        let past = concerned.iter().filter(|id| rotated(&before[id], &now[id], database)[which]).count();
        if past >= behind { Ok(()) } else { Err(format!("{past} of {behind}")) }
    })
    .await
    .with_context(|| cluster.log_tails())?;
    cluster.member_mut(victim).kill();
    load.progress(100, SOON).await?;
    cluster.member_mut(victim).start()?;
    cluster.wait_serving(SOON).await?;
    done(cluster, client).await?;
    load.progress(100, SOON).await?;

    let now = keystores(cluster)?;
    for id in &concerned {
        ensure!(
            rotated(&before[id], &now[id], database)[which],
            "member {id} says that {rotation:?} is done, and had {:?} and has {:?}",
            before[id],
            now[id]
        );
    }
    if let Some(cmk) = cmk {
        for (id, keystore) in &now {
            ensure!(keystore.cmks.iter().eq([&cmk]), "member {id} depends on {:?}", keystore.cmks);
        }
    }
    for member in cluster.members() {
        let gone =
            async || invariants::old_keys_gone(&member.data_dir()).map_err(|error| format!("{error:#}"));
        wait_for("the old keys to be gone", SOON, gone).await.with_context(|| cluster.log_tails())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_key_is_replaced_under_a_load_and_a_kill() -> anyhow::Result<()> {
    let mut rng = seeded("every_kind_of_key_is_replaced_under_a_load_and_a_kill");
    let mut cluster = ClusterBuilder::new("key-rotation").start().await?;
    let client = cluster.client()?;
    let options = LoadOptions { writers: 4, ..LoadOptions::default() };
    // Some files to rewrite.
    bulk(&client.database(&options.database).collection("bulk"), 0, 16, 256 << 10, &mut rng).await?;
    let load = Load::start(&client, &options, &mut rng);
    load.progress(100, SOON).await?;

    let mut all = [Rotation::Cmk, Rotation::AllMasters, Rotation::OneMaster, Rotation::Database];
    all.shuffle(&mut rng);
    for rotation in all {
        rotate(&mut cluster, &client, &load, rotation, &options, &mut rng)
            .await
            .with_context(|| format!("{rotation:?}"))?;
    }

    let ledger = load.stop().await?;
    let [written, unknown, not_done] = ledger.counts;
    ensure!(unknown + not_done == 0, "{written} writes were done, {unknown} are in doubt, {not_done} failed");
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    // What is on the disks is all that there is.
    cluster.kill_all()?;
    cluster.start_all()?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_cmk_is_needed_until_the_last_member_is_back_and_a_drop_is_shredded() -> anyhow::Result<()> {
    let mut rng = seeded("an_old_cmk_is_needed_until_the_last_member_is_back_and_a_drop_is_shredded");
    let mut cluster = ClusterBuilder::new("key-rotation-absent").start().await?;
    let client = cluster.client()?;
    bulk(&client.database("gone").collection("c"), 0, 8, 64 << 10, &mut rng).await?;
    bulk(&client.database("kept").collection("c"), 0, 8, 64 << 10, &mut rng).await?;

    // One member is down, and is not asked.
    let ids = cluster.ids();
    let absent = ids[rng.random_range(0..ids.len())];
    cluster.member_mut(absent).kill();
    cluster.wait_serving(SOON).await?;
    let old = cluster.kms().cmk().clone();
    let cmk = cluster.kms().admin().create(&Region::parse(HOME_REGION)?, false)?.to_string();
    let refused = cluster.coffer(&["kms", "set-cmk", &cmk]).await?;
    ensure!(refused.status != 0 && format!("{refused:?}").contains("CK0043"), "{refused:?}");
    cluster.coffer(&["kms", "set-cmk", &cmk, "--allow-absent", &absent.to_string()]).await?.succeeded()?;
    wait_for("the others to have followed", ROTATED, async || {
        let now = keystores(&cluster).map_err(|error| format!("{error:#}"))?;
        let behind: Vec<_> = now.iter().filter(|(_, keystore)| !keystore.cmks.contains(&cmk)).collect();
        if behind.len() == 1 { Ok(()) } else { Err(format!("{behind:?}")) }
    })
    .await
    .with_context(|| cluster.log_tails())?;
    let warning = format!("do not delete or disable the old key yet: member {absent} still depends on it");
    for command in [&["status"][..], &["keys", "progress"]] {
        wait_for(&format!("coffer {command:?} to warn"), SOON, async || {
            let said = cluster.coffer(command).await.map_err(|error| format!("{error:#}"))?;
            if said.stdout.contains(&warning) && said.stdout.contains(&old.to_string()) {
                return Ok(());
            }
            Err(said.stdout)
        })
        .await?;
    }

    // Back, it opens its keystore with the old key, which its peers vouch for, and follows.
    cluster.member_mut(absent).start()?;
    cluster.wait_serving(SOON).await?;
    done(&cluster, &client).await?;
    let said = cluster.coffer(&["keys", "progress"]).await?.succeeded()?.stdout;
    ensure!(!said.contains("do not delete"), "{said}");
    cluster.kms().admin().disable(&old)?;
    cluster.kill_all()?;
    cluster.start_all()?;
    cluster.wait_serving(SOON).await?;

    // A dropped database is reported shredded, on every member.
    let before = keystores(&cluster)?;
    let dropped = database_id(&cluster, "gone").await?;
    client.database("gone").drop().await?;
    wait_for("every member to have shredded the dropped database", ROTATED, async || {
        let work = key_work(&client).await?;
        let shredded = |member: &&coffer_client::keys::MemberKeys| {
            member.shredded.contains(&dropped) && member.not_shredded.is_empty()
        };
        if work.members.iter().filter(shredded).count() == 3 { Ok(()) } else { Err(format!("{work:?}")) }
    })
    .await
    .with_context(|| cluster.log_tails())?;
    for (id, keystore) in keystores(&cluster)? {
        ensure!(!keystore.databases.contains_key(&dropped), "member {id} has its key");
        ensure!(
            keystore.raft.is_disjoint(&before[&id].raft),
            "member {id} had the raft keys {:?} and has {:?}",
            before[&id].raft,
            keystore.raft
        );
        invariants::old_keys_gone(&cluster.member(id).data_dir())?;
    }
    invariants::hashes_agree(&mut cluster, "kept", SOON).await?;
    cluster.finish()
}
