//! What is destroyed is wiped: counted in the memory of the keys.

use crate::kms::Region;
use crate::kms::local::{LocalKms, LocalKmsAdmin};
use crate::{ClusterId, DatabaseId, FormChange, Keyring, KeystoreParams, MemberId};

/// The master key, its MAC key, the audit key and the raft key.
const FIRST_KEYS: usize = 4;

#[tokio::test]
async fn a_replaced_key_leaves_no_trace_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let home = Region::parse("eu-central-1").unwrap();
    let admin = LocalKmsAdmin::new(&dir.path().join("kms"));
    let cmk = admin.create(&home, false).unwrap();
    let kms = LocalKms::open(&dir.path().join("kms")).unwrap();
    let params = KeystoreParams {
        cluster: ClusterId::generate(),
        member: MemberId(1),
        cmk: cmk.clone(),
        region: home.clone(),
    };
    let path = dir.path().join("keyring/keystore.json");
    let keyring = Keyring::create(&path, params.clone(), &kms).await.unwrap();
    let alive = || keyring.inner.arena.alive();
    assert_eq!(alive(), FIRST_KEYS);

    let old = *keyring.writer().master.as_ref().unwrap().key.secret.bytes();
    for round in 1..=3 {
        keyring.rotate_master(&kms, &cmk, &home, round).await.unwrap();
        assert_eq!(alive(), FIRST_KEYS, "the old master key and its MAC key are gone");
        assert_ne!(*keyring.writer().master.as_ref().unwrap().key.secret.bytes(), old);
    }
    keyring.rewrap_master(&kms, &home).await.unwrap();
    assert_eq!(alive(), FIRST_KEYS);

    keyring.create_database(DatabaseId(7), 7).unwrap();
    keyring.add_database_key(DatabaseId(7), 4).unwrap();
    assert_eq!(alive(), FIRST_KEYS + 2);
    keyring.retire_database_keys(DatabaseId(7), &[].into()).unwrap();
    assert_eq!(alive(), FIRST_KEYS + 1);

    admin.disable(&cmk).unwrap();
    keyring.rotate_master(&kms, &cmk, &home, 5).await.unwrap_err();
    assert_eq!(alive(), FIRST_KEYS + 1, "a master key that the service did not wrap is gone");
    admin.enable(&cmk).unwrap();

    FormChange::to_plain(&keyring, 6).unwrap().commit().unwrap();
    assert_eq!(alive(), 0);
    drop(FormChange::to_sealed(&keyring, params, &kms, 7).await.unwrap());
    assert_eq!(alive(), 0, "a change that was dropped leaves nothing");
}
