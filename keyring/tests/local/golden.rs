//! Keystores of every format that was ever written still open. The files were written once by
//! `examples/write_golden_keystore.rs` and are never written again.

use std::path::{Path, PathBuf};

use coffer_keyring::audit::verify;
use coffer_keyring::kms::local::LocalKms;
use coffer_keyring::kms::{KeyArn, Region};
use coffer_keyring::{
    ClusterId, DatabaseId, FormOrder, Generation, Incarnation, KeyOwner, KeyVersion, Keyring, MemberId,
    RaftGeneration, SealedKeystore,
};

const CLUSTER: &str = "6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// A copy that may be changed.
fn copy_of(name: &str, dir: &Path) -> PathBuf {
    let path = dir.join("keystore.json");
    std::fs::copy(golden(name), &path).unwrap();
    path
}

#[tokio::test]
async fn a_keystore_of_format_1_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy_of("keystore-1.json", dir.path());
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(golden("expected-1.json")).unwrap()).unwrap();
    let cmk = KeyArn::parse(expected["cmk"].as_str().unwrap()).unwrap();
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    let kms = LocalKms::open(&golden("kms-1")).unwrap();
    let sealed = SealedKeystore::open(&path, &cluster, MemberId(3)).unwrap().unwrap();
    sealed.vouch(std::slice::from_ref(&cmk)).unwrap();
    let region = Region::parse("eu-west-1").unwrap();
    let keyring = sealed.unseal(&kms, &region).await.unwrap();

    assert_eq!((keyring.incarnation(), keyring.generation()), (Incarnation(2), Generation(2)));
    assert_eq!(keyring.databases(), [DatabaseId(0), DatabaseId(17)]);
    assert_eq!(keyring.tombstone(DatabaseId(9)), Some(23));
    assert_eq!(keyring.tombstone(DatabaseId(12)), Some(40));
    for (name, owner, version) in [
        ("raft-1", KeyOwner::Raft, 1),
        ("raft-2", KeyOwner::Raft, 2),
        ("admin-2", KeyOwner::Database(DatabaseId::ADMIN), 2),
        ("database-17-1", KeyOwner::Database(DatabaseId(17)), 1),
    ] {
        let key = keyring.get(owner, KeyVersion(version)).expect(name);
        assert_eq!(hex::encode(key.bytes()), expected["keys"][name].as_str().unwrap(), "{name}");
    }
    // And it can be worked with: the first change makes it one of the present format, with an audit key.
    assert!(keyring.audit_key().is_none());
    keyring.create_database(DatabaseId(50), 50).unwrap();
    assert!(keyring.audit_key().is_some());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("{\"format\":2,"));
    let sealed = SealedKeystore::open(&path, &cluster, MemberId(3)).unwrap().unwrap();
    sealed.vouch(std::slice::from_ref(&cmk)).unwrap();
    assert_eq!(sealed.unseal(&kms, &region).await.unwrap().report(), keyring.report());
}

#[test]
fn a_plain_keystore_of_format_1_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy_of("plain-1.json", dir.path());
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    let keyring = Keyring::open_plain(&path, &cluster, MemberId(3)).unwrap().unwrap();
    assert_eq!((keyring.incarnation(), keyring.generation()), (Incarnation(1), Generation(1)));
    assert_eq!(keyring.databases(), [DatabaseId(0), DatabaseId(12)]);
    assert_eq!(keyring.tombstone(DatabaseId(9)), Some(23));
}

#[tokio::test]
async fn a_keystore_of_format_2_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy_of("keystore-2.json", dir.path());
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(golden("expected-2.json")).unwrap()).unwrap();
    let cmk = KeyArn::parse(expected["cmk"].as_str().unwrap()).unwrap();
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    let kms = LocalKms::open(&golden("kms-2")).unwrap();
    let sealed = SealedKeystore::open(&path, &cluster, MemberId(3)).unwrap().unwrap();
    assert_eq!(sealed.settings(), Some(&b"settings"[..]));
    sealed.vouch(std::slice::from_ref(&cmk)).unwrap();
    let keyring = sealed.unseal(&kms, &Region::parse("eu-west-1").unwrap()).await.unwrap();

    assert_eq!((keyring.incarnation(), keyring.generation()), (Incarnation(2), Generation(3)));
    assert_eq!(keyring.raft_generation(), RaftGeneration(1));
    assert_eq!((keyring.master_round(), keyring.encryption_round()), (6, 3));
    assert_eq!(keyring.database_round(DatabaseId(17)), 5);
    assert_eq!(keyring.pending_form_change(), Some(FormOrder { encryption: false, round: 7 }));
    assert_eq!(keyring.settings().unwrap(), b"settings");
    assert_eq!(keyring.wrap_info().unwrap().version, KeyVersion(2));
    assert_eq!(keyring.databases(), [DatabaseId(0), DatabaseId(17)]);
    assert_eq!(keyring.tombstone(DatabaseId(9)), Some(23));
    assert_eq!(keyring.tombstone(DatabaseId(12)), Some(40));
    for (name, owner, version) in [
        ("raft-1", KeyOwner::Raft, 1),
        ("raft-2", KeyOwner::Raft, 2),
        ("admin-2", KeyOwner::Database(DatabaseId::ADMIN), 2),
        ("database-17-1", KeyOwner::Database(DatabaseId(17)), 1),
        ("database-17-2", KeyOwner::Database(DatabaseId(17)), 2),
    ] {
        let key = keyring.get(owner, KeyVersion(version)).expect(name);
        assert_eq!(hex::encode(key.bytes()), expected["keys"][name].as_str().unwrap(), "{name}");
    }
    let report = verify(&golden("audit-2"), keyring.audit_key().as_ref(), &[]).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.lines, report.authenticated, report.without_key), (2, 1, 1));
}

#[test]
fn a_plain_keystore_of_format_2_opens() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy_of("plain-2.json", dir.path());
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    let keyring = Keyring::open_plain(&path, &cluster, MemberId(3)).unwrap().unwrap();
    assert_eq!((keyring.incarnation(), keyring.generation()), (Incarnation(1), Generation(2)));
    assert_eq!((keyring.encryption_round(), keyring.raft_generation()), (4, RaftGeneration(1)));
    assert_eq!(keyring.settings().unwrap(), b"settings");
    assert_eq!(keyring.databases(), [DatabaseId(0), DatabaseId(12)]);
}
