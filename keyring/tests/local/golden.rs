//! Keystores of every format that was ever written still open. The files were written once by
//! `examples/write_golden_keystore.rs` and are never written again.

use std::path::{Path, PathBuf};

use coffer_keyring::kms::local::LocalKms;
use coffer_keyring::kms::{KeyArn, Region};
use coffer_keyring::{
    ClusterId, DatabaseId, Generation, Incarnation, KeyOwner, KeyVersion, Keyring, MemberId, SealedKeystore,
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
    // And it can be worked with.
    keyring.create_database(DatabaseId(50), 50).unwrap();
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
