//! Every way in which an owner takes the key away in AWS stops all members, in seconds; given back, everything is served again
//! by itself.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bson::doc;
use coffer_client::{ClientOptions, CountOptions, ReadConcern};
use coffer_cluster_tests::invariants::{self, no_marker};
use coffer_cluster_tests::kms::AwsKmsOptions;
use coffer_cluster_tests::workload::{Load, LoadOptions};
use coffer_cluster_tests::{Cluster, ClusterBuilder, restart_revoked, seeded};
use coffer_proto::v1::MemberState;
use tonic_health::pb::health_check_response::ServingStatus;

const SOON: Duration = Duration::from_secs(30);

/// From a revocation to the exit of the last member, with the options of [`every_revocation_in_aws_stops_all_members`].
const QUICK: Duration = Duration::from_secs(5);

/// The same with the options as they are by default.
const DEFAULT: Duration = Duration::from_secs(60);

const MARKER: &str = "Re-5d0c19e2b7f4-voked";

/// A way to take the key away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    DisableKey,
    ScheduleKeyDeletion,
    RemoveDecrypt,
    RemoveRolePolicy,
    ChangeExternalId,
    DeleteAccessKey,
}

impl Way {
    const ALL: [Self; 6] = [
        Self::DisableKey,
        Self::ScheduleKeyDeletion,
        Self::RemoveDecrypt,
        Self::RemoveRolePolicy,
        Self::ChangeExternalId,
        Self::DeleteAccessKey,
    ];

    fn take(self, cluster: &mut Cluster) {
        let members = cluster.ids();
        let aws = cluster.aws_mut();
        let cmk = aws.cmk().to_string();
        match self {
            Self::DisableKey => aws.owner().disable_key(&cmk),
            Self::ScheduleKeyDeletion => aws.owner().schedule_key_deletion(&cmk),
            Self::RemoveDecrypt => aws.take_away("kms:Decrypt"),
            Self::RemoveRolePolicy => aws.remove_policy(),
            Self::ChangeExternalId => aws.change_external_id(),
            Self::DeleteAccessKey => members.into_iter().for_each(|member| aws.delete_access_key(member)),
        }
    }

    fn give_back(self, cluster: &mut Cluster) -> anyhow::Result<()> {
        let members = cluster.ids();
        let aws = cluster.aws_mut();
        let cmk = aws.cmk().to_string();
        match self {
            Self::DisableKey => aws.owner().enable_key(&cmk),
            Self::ScheduleKeyDeletion => {
                aws.owner().cancel_key_deletion(&cmk);
                aws.owner().enable_key(&cmk);
            }
            Self::RemoveDecrypt | Self::RemoveRolePolicy | Self::ChangeExternalId => aws.allow(),
            // What is deleted does not come back: the machines get other credentials, for which their operator starts them.
            Self::DeleteAccessKey => {
                for id in members {
                    cluster.aws_mut().renew_access_key(id);
                    let environment = cluster.aws().environment(id);
                    let member = cluster.member_mut(id);
                    member.kill();
                    member.set_environment(environment);
                    member.start()?;
                }
            }
        }
        Ok(())
    }
}

/// All members are alive, serve nothing, and what is on their disks cannot be read.
async fn dark(cluster: &Cluster) -> anyhow::Result<()> {
    let impatient = ClientOptions { deadline: Duration::from_millis(300), ..ClientOptions::default() };
    for member in cluster.members() {
        let status = member.wait_state(MemberState::Sealed, SOON).await?;
        ensure!(!status.state_reason.is_empty(), "{status:?}");
        ensure!(member.health().await? == ServingStatus::NotServing, "a sealed member is healthy");
        let alone = member.client_with(impatient.clone())?.database("load").collection("documents");
        let local = CountOptions { read_concern: ReadConcern::Local, ..CountOptions::default() };
        ensure!(alone.count(&doc! {}, local).await.is_err(), "a sealed member answered a read");
        no_marker(&member.data_dir(), &[MARKER.to_owned()])?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_revocation_in_aws_stops_all_members_in_seconds() -> anyhow::Result<()> {
    let mut rng = seeded("every_revocation_in_aws_stops_all_members_in_seconds");
    let mut cluster = ClusterBuilder::new("key-revocation")
        .aws(AwsKmsOptions::default())
        .settings(|settings| {
            settings.text("health.interval", "1s").text("health.confirm", "2s");
        })
        .start()
        .await?;
    let ids = cluster.ids();
    // Short, so that writers notice soon that nobody serves.
    let client = cluster
        .client_with(ClientOptions { deadline: Duration::from_secs(2), ..ClientOptions::default() })?;
    client.database("marked").collection("c").insert_one(doc! { "_id": MARKER, "text": MARKER }).await?;

    let mut ledgers = Vec::new();
    for way in Way::ALL {
        let options = LoadOptions { database: format!("{way:?}"), writers: 4, ..LoadOptions::default() };
        let load = Load::start(&client, &options, &mut rng);
        load.progress(50, SOON).await?;

        let since = Instant::now();
        way.take(&mut cluster);
        let ended = restart_revoked(&mut cluster, &ids, since, QUICK).await?;
        eprintln!("{way:?}: the members ended after {ended:.1?}");
        ledgers.push((options, load.stop().await?));
        dark(&cluster).await?;

        way.give_back(&mut cluster)?;
        cluster.wait_serving(SOON).await?;
        for (options, ledger) in &ledgers {
            invariants::settled(&mut cluster, ledger, &options.database, &options.collection, SOON).await?;
        }
    }
    let found = client.database("marked").collection("c").count(&doc! {}, CountOptions::default()).await?;
    assert_eq!(found.count, 1);
    cluster.finish_expecting(&["the customer's key", "revoked", "denied", "CK00"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_stops_members_with_default_options_within_a_minute() -> anyhow::Result<()> {
    let mut rng = seeded("a_revocation_stops_members_with_default_options_within_a_minute");
    let mut cluster = ClusterBuilder::new("key-revocation-default")
        .settings(|settings| {
            settings
                .text("health.interval", "30s")
                .text("health.confirm", "15s")
                .text("health.retry_min", "1s")
                .text("health.retry_max", "30s");
        })
        .start()
        .await?;
    let options = LoadOptions { writers: 2, ..LoadOptions::default() };
    let load = Load::start(&cluster.client()?, &options, &mut rng);
    load.progress(50, SOON).await?;

    let since = Instant::now();
    cluster.kms().disable()?;
    let ids = cluster.ids();
    let ended = restart_revoked(&mut cluster, &ids, since, DEFAULT).await?;
    eprintln!("with default options the members ended after {ended:.1?}");
    let ledger = load.stop().await?;
    for member in cluster.members() {
        member.wait_state(MemberState::Sealed, SOON).await?;
    }

    cluster.kms().enable()?;
    // It is asked for again within health.retry_max.
    let retried = SOON + SOON;
    cluster.wait_serving(retried).await?;
    invariants::settled(&mut cluster, &ledger, &options.database, &options.collection, SOON).await?;
    cluster.finish_expecting(&["the customer's key", "revoked", "denied", "CK00"])
}
