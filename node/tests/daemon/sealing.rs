//! The customer's key: without it nothing is served, and a member waits for it.

use coffer_keyring::kms::Region;

use crate::process::{Member, wait_for};

#[test]
fn a_revoked_key_stops_a_member_and_gives_it_back() {
    let member = Member::new();
    let mut running = member.start_serving();
    member.kms.disable(&member.cmk).unwrap();
    assert_eq!(running.exit(), 77, "{}", running.log());
    assert!(running.log().contains("is revoked"), "{}", running.log());
    // Restarted by a supervisor it is sealed, and stays.
    let running = member.start();
    running.wait_state("sealed");
    wait_for("a few denials", || {
        running.http("/metrics").lines().any(|line| {
            line.strip_prefix("coffer_kms_denied_in_a_row ").is_some_and(|n| n.parse::<f64>().unwrap() > 3.0)
        })
    });
    assert!(running.http("/livez").contains("alive"));
    assert!(running.http("/readyz").starts_with("HTTP/1.1 503"));
    member.kms.enable(&member.cmk).unwrap();
    running.wait_state("serving");
    assert!(running.http("/metrics").contains("coffer_kms_verdict{verdict=\"accessible\"} 1"));
}

#[test]
fn an_outage_stops_nobody_that_runs_and_seals_who_starts() {
    let member = Member::new();
    let region = Region::parse("eu-central-1").unwrap();
    let mut running = member.start_serving();
    member.kms.outage(&region).unwrap();
    wait_for("many probes without an answer", || {
        running.http("/metrics").lines().any(|line| {
            line.strip_prefix("coffer_kms_probes_total{verdict=\"unreachable\"} ")
                .is_some_and(|n| n.parse::<f64>().unwrap() > 5.0)
        })
    });
    running.wait_state("serving");
    running.terminate();
    assert_eq!(running.exit(), 0);
    let mut sealed = member.start();
    sealed.wait_state("sealed");
    sealed.terminate();
    assert_eq!(sealed.exit(), 0, "a sealed member stops in order");
    let sealed = member.start();
    sealed.wait_state("sealed");
    member.kms.restore(&region).unwrap();
    sealed.wait_state("serving");
}

#[test]
fn another_region_helps_in_an_outage_and_not_against_a_denial() {
    let mut member = Member::new();
    let home = Region::parse("eu-central-1").unwrap();
    let away = Region::parse("eu-west-1").unwrap();
    member.kms.replicate(&member.cmk, &away).unwrap();
    member.set("encryption.regions", "['eu-central-1', 'eu-west-1']");
    let mut running = member.start_serving();
    running.terminate();
    assert_eq!(running.exit(), 0);
    member.kms.outage(&home).unwrap();
    let mut running = member.start_serving();
    running.terminate();
    assert_eq!(running.exit(), 0);
    member.kms.restore(&home).unwrap();
    member.kms.disable(&member.cmk).unwrap();
    let running = member.start();
    running.wait_state("sealed");
    wait_for("a denial", || running.http("/metrics").contains("coffer_kms_verdict{verdict=\"denied\"} 1"));
    assert!(!running.log().contains("\"state\":\"serving\""), "{}", running.log());
}

#[test]
fn no_key_is_made_before_the_service_was_proven() {
    let member = Member::new();
    member.kms.disable(&member.cmk).unwrap();
    let running = member.start();
    running.wait_state("sealed");
    wait_for("a denial", || running.http("/metrics").contains("coffer_kms_verdict{verdict=\"denied\"} 1"));
    assert!(!member.data_dir().join("keyring").exists());
    assert!(!member.data_dir().join("identity.json").exists());
    assert!(!member.data_dir().join("raft").exists());
}

#[test]
fn a_denial_that_is_not_confirmed_stops_nobody() {
    let mut member = Member::new();
    // Time to take the denial back before it is confirmed.
    member.set("health.confirm", "6s");
    let mut running = member.start_serving();
    member.kms.disable(&member.cmk).unwrap();
    wait_for("a denial", || running.http("/metrics").contains("coffer_kms_denied_in_a_row 1"));
    assert!(running.http("/readyz").contains("serving: the customer's key in eu-central-1 is denied"));
    member.kms.enable(&member.cmk).unwrap();
    wait_for("access again", || {
        running.http("/metrics").contains("coffer_kms_verdict{verdict=\"accessible\"} 1")
    });
    assert!(running.http("/metrics").contains("coffer_kms_denied_in_a_row 0"));
    wait_for("health", || running.http("/readyz").ends_with("serving: \n"));
    running.terminate();
    assert_eq!(running.exit(), 0);
}

#[test]
fn an_outage_at_home_fails_over_and_a_replica_that_denies_then_stops() {
    let mut member = Member::new();
    let home = Region::parse("eu-central-1").unwrap();
    let away = Region::parse("eu-west-1").unwrap();
    let far = Region::parse("us-east-1").unwrap();
    let replica = member.kms.replicate(&member.cmk, &away).unwrap();
    member.kms.replicate(&member.cmk, &far).unwrap();
    member.set("encryption.regions", "['eu-central-1', 'eu-west-1', 'us-east-1']");
    let mut running = member.start_serving();
    member.kms.outage(&home).unwrap();
    wait_for("a failover", || running.http("/metrics").contains("\ncoffer_kms_failed_over 1\n"));
    let page = running.http("/metrics");
    assert!(page.contains("coffer_kms_region_active{region=\"eu-west-1\"} 1"), "{page}\n{}", running.log());
    assert!(running.http("/readyz").contains("is used in eu-west-1 and not in its home Region"));
    member.kms.disable(&replica).unwrap();
    assert_eq!(running.exit(), 77, "{}", running.log());
    assert!(running.log().contains("revoked in eu-west-1"), "{}", running.log());
    // The third Region would give the key, and is not asked: the owner's denial is not gone round by a restart.
    let running = member.start();
    wait_for("a denial", || {
        running
            .http("/metrics")
            .contains("coffer_kms_region_verdict{region=\"eu-west-1\",verdict=\"denied\"} 1")
    });
    let page = running.http("/metrics");
    assert!(!page.contains("region=\"us-east-1\""), "{page}");
    running.wait_state("sealed");
    member.kms.enable(&replica).unwrap();
    running.wait_state("serving");
}

#[test]
fn a_home_that_is_silent_for_longer_than_allowed_stops() {
    let mut member = Member::new();
    let home = Region::parse("eu-central-1").unwrap();
    member.set("health.max_unreachable", "1s");
    let mut running = member.start_serving();
    member.kms.outage(&home).unwrap();
    assert_eq!(running.exit(), 77, "{}", running.log());
    assert!(running.log().contains("health.max_unreachable"), "{}", running.log());
}
