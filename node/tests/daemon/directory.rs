//! Data directories that are somebody else's, or not whole.

use std::fs;

use crate::process::{Member, wait_for};

#[test]
fn a_directory_is_used_by_one_process() {
    let member = Member::new();
    let _running = member.start_serving();
    let mut second = Member::new();
    second.set("storage.data_dir", &member.data_dir().display().to_string());
    let (status, log) = second.refused();
    assert_eq!(status, 75, "{log}");
    assert!(log.contains("another cofferd"), "{log}");
}

/// A member that served, stopped.
fn stopped() -> Member {
    let member = Member::new();
    let mut running = member.start_serving();
    running.terminate();
    assert_eq!(running.exit(), 0, "{}", running.log());
    member
}

#[test]
fn the_directory_of_another_member_or_set_is_refused() {
    let mut member = stopped();
    member.set("cluster.member_id", "2");
    member.set("listen.address", &format!("127.0.0.1:{}", member.port));
    let (status, log) = member.refused();
    assert_eq!(status, 76, "{log}");
    assert!(log.contains("belongs to member 1"), "{log}");
    member.set("cluster.member_id", "1");
    member.set("cluster.id", coffer_keyring::ClusterId::generate().as_str());
    let (status, log) = member.refused();
    assert_eq!(status, 76, "{log}");
    assert!(log.contains("belongs to cluster"), "{log}");
}

#[test]
fn a_keystore_that_is_not_the_members_own_is_refused() {
    let member = stopped();
    let keystore = member.data_dir().join("keyring/keystore.json");
    let own = fs::read(&keystore).unwrap();
    // Another set's.
    let other = stopped();
    fs::copy(other.data_dir().join("keyring/keystore.json"), &keystore).unwrap();
    let (status, log) = member.refused();
    assert_eq!(status, 76, "{log}");
    assert!(log.contains("another cluster's"), "{log}");
    // Its own, changed.
    let changed =
        String::from_utf8(own.clone()).unwrap().replacen("\"incarnation\":1", "\"incarnation\":9", 1);
    assert_ne!(changed.as_bytes(), own);
    fs::write(&keystore, changed).unwrap();
    let (status, log) = member.refused();
    assert_eq!(status, 76, "{log}");
    assert!(log.contains("damaged or was changed"), "{log}");
    // None: new keys would make everything in the directory unreadable without a word.
    fs::remove_file(&keystore).unwrap();
    let (status, log) = member.refused();
    assert_eq!(status, 76, "{log}");
    assert!(log.contains("keystore.json is gone"), "{log}");
    fs::remove_file(member.data_dir().join("identity.json")).unwrap();
    assert_eq!(member.refused().0, 76);
    assert!(!keystore.exists());
    // The right one: it serves again.
    fs::write(&keystore, own).unwrap();
    member.start_serving();
}

#[test]
fn a_keystore_under_another_key_is_not_unwrapped() {
    let mut member = stopped();
    let planted = member.kms.create(member.cmk.region(), true).unwrap();
    member.set("encryption.cmk_arn", &planted.to_string());
    let mut running = member.start();
    wait_for("that it says so", || running.http("/readyz").contains("[CK0025]"));
    let page = running.http("/readyz");
    assert!(page.contains("sealed: ") && page.contains("is wrapped by"), "{page}");
    assert!(page.contains(&format!("coffer kms trust --cmk {}", member.cmk)), "it says what to do: {page}");
    running.terminate();
    assert_eq!(running.exit(), 0);
}

#[test]
fn encryption_is_not_switched_by_the_configuration_alone() {
    // What is sealed stays sealed.
    let mut member = stopped();
    member.set("encryption.enabled", "false");
    let mut running = member.start_serving();
    assert!(running.http("/metrics").contains("coffer_encryption_enabled 1"));
    running.terminate();
    assert_eq!(running.exit(), 0);
    let mut plain = Member::new();
    plain.set("encryption.enabled", "false");
    let mut running = plain.start_serving();
    assert!(running.log().contains("encryption is off"));
    assert!(running.http("/metrics").contains("coffer_encryption_enabled 0"));
    running.terminate();
    assert_eq!(running.exit(), 0);
    plain.set("encryption.enabled", "true");
    let (status, log) = plain.refused();
    assert_eq!(status, 76, "{log}");
    assert!(log.contains("allow_off = true"), "{log}");
    // And what is in the clear stays so, where that is allowed.
    plain.set("encryption.allow_off", "true");
    let mut running = plain.start_serving();
    assert!(running.http("/metrics").contains("coffer_encryption_enabled 0"));
    running.terminate();
    assert_eq!(running.exit(), 0);
}

#[test]
fn a_member_that_ran_does_not_start_without_its_log() {
    for lost in ["raft", "raft/CURRENT"] {
        let member = stopped();
        let lost = member.data_dir().join(lost);
        if lost.is_dir() {
            fs::remove_dir_all(&lost).unwrap();
        } else {
            fs::remove_file(&lost).unwrap();
        }
        let (status, log) = member.refused();
        assert_eq!(status, 78, "{log}");
        assert!(log.contains("raft is gone"), "{log}");
        assert!(!lost.exists());
    }
}
