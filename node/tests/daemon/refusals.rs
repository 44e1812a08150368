//! What a member is not started with: arguments, configurations, ports.

use std::net::TcpListener;

use crate::process::{Member, cofferd};

#[test]
fn a_wrong_configuration_is_told_in_full() {
    let output = cofferd().args(["--set", "log.levle=debug"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("did you mean `log.level`"), "{error}");
    let output = cofferd().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("storage.data_dir") && error.contains("encryption.cmk_arn"), "{error}");
    assert_eq!(cofferd().arg("--colour").output().unwrap().status.code(), Some(2));
}

#[test]
fn a_configuration_is_checked_and_dumped_without_a_start() {
    let member = Member::new();
    let checked = member.command(&["--check"]).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let dumped = member.command(&["--dump-config"]).output().unwrap();
    let text = String::from_utf8(dumped.stdout).unwrap();
    assert!(text.contains("retry_min = \"50ms\"") && text.contains("max_log_size = \"1GiB\""), "{text}");
    assert!(!member.data_dir().exists());
    let file = member.dir.path().join("dumped.toml");
    std::fs::write(&file, &text).unwrap();
    let again = cofferd().args(["--dump-config", "--config"]).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), text);
}

#[test]
fn the_files_of_a_new_replica_set_are_valid() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("set");
    let made = cofferd()
        .args(["init-config", "--no-encryption", "--members", "1=127.0.0.1:1,2=127.0.0.1:2", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let printed = String::from_utf8(made.stdout).unwrap();
    assert_eq!(printed.lines().count(), 2);
    for file in printed.lines() {
        let checked = cofferd().args(["--check", "--config", file]).output().unwrap();
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    }
}

#[test]
fn a_taken_port_is_told_before_anything_is_made() {
    let mut member = Member::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    member.set("listen.address", &taken.local_addr().unwrap().to_string());
    let (status, log) = member.refused();
    assert_eq!(status, 69, "{log}");
    assert!(log.contains("listen.address"), "{log}");
    assert!(!member.data_dir().exists());
}

#[test]
fn a_missing_local_kms_is_told() {
    let mut member = Member::new();
    let nowhere = member.dir.path().join("nowhere");
    member.set("encryption.local_dir", &nowhere.display().to_string());
    let (status, log) = member.refused();
    assert_eq!(status, 2, "{log}");
    assert!(log.contains("dev-kms"), "{log}");
}
