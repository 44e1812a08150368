//! A member against the AWS SDK: an emulator of KMS, STS and IAM behind a proxy per Region.

use std::time::Duration;

use coffer_cluster_tests::kms::{AwsKmsOptions, Fault};
use coffer_cluster_tests::{ClusterBuilder, wait_for};

/// An outage of home, whatever its kind, stops nobody; a role whose ExternalId changes stops the member, which serves
/// again when it is back.
#[tokio::test]
async fn a_member_lives_under_a_role_of_aws() -> anyhow::Result<()> {
    let builder = ClusterBuilder::new("aws").members(1).aws(AwsKmsOptions::default());
    // Probes follow each other closely.
    let builder = builder.settings(|settings| {
        settings.text("health.interval", "300ms").text("health.confirm", "600ms");
    });
    let mut cluster = builder.start().await?;
    let home = cluster.aws().regions()[0].to_string();

    for fault in [
        Fault::Refused,
        Fault::Reset,
        Fault::Garbage,
        Fault::INTERNAL,
        Fault::DEPENDENCY_TIMEOUT,
        Fault::THROTTLED,
        Fault::BlackHole,
    ] {
        let proxy = cluster.aws().region(&home);
        proxy.set(fault).await?;
        let probed = || cluster.aws().sts().count("AssumeRole");
        let before = probed();
        // Each probe takes fresh credentials first: two more of them began after the fault, one of which has ended.
        wait_for(&format!("two probes under {fault:?}"), Duration::from_secs(30), async || {
            let seen = probed() - before;
            if seen >= 2 { Ok(()) } else { Err(format!("{seen} probes")) }
        })
        .await?;
        assert!(cluster.member_mut(1).is_running(), "{fault:?} stopped the member");
        cluster.aws().region(&home).set(Fault::None).await?;
    }
    cluster.wait_serving(Duration::from_secs(15)).await?;

    cluster.aws().change_external_id();
    let status = cluster.member_mut(1).exited(Duration::from_secs(30)).await?;
    assert_eq!(status.code(), Some(77), "{}", cluster.log_tails());

    cluster.aws().allow();
    cluster.start_all()?;
    cluster.wait_serving(Duration::from_secs(30)).await?;
    cluster.finish_expecting(&["denied", "Denied", "revoked", "AccessDenied", "kms_unreachable"])
}
