//! What a keyring tells the audit log.

use std::fs;
use std::sync::Arc;

use coffer_keyring::audit::{AuditLog, verify};
use coffer_keyring::{DatabaseId, Keyring};

use crate::audit_scene::started;
use crate::world::World;

const ONE: DatabaseId = DatabaseId(11);

#[tokio::test]
async fn a_keyring_tells_of_every_key() {
    let world = World::new();
    let keyring = world.create().await;
    let log = Arc::new(AuditLog::open(&world.dir.path().join("audit"), keyring.audit_key()).unwrap());
    keyring.set_audit(log.clone());
    keyring.create_database(ONE, 11).unwrap();
    keyring.add_database_key(ONE, 3).unwrap();
    keyring.retire_database_keys(ONE, &[].into()).unwrap();
    let first = keyring.rotate_raft_key().unwrap();
    keyring.retire_raft_keys_before(first).unwrap();
    keyring.rotate_master(&world.kms, &world.cmk, &world.away, 4).await.unwrap();
    world.admin.disable(&world.cmk).unwrap();
    keyring.rotate_master(&world.kms, &world.cmk, &world.home, 5).await.unwrap_err();
    world.admin.enable(&world.cmk).unwrap();
    keyring.rewrap_master(&world.kms, &world.home).await.unwrap();
    keyring.drop_database(ONE, 30).unwrap();
    let again = world.unseal().await.unwrap();
    again.set_audit(log.clone());

    let text = fs::read_to_string(world.dir.path().join("audit/audit-00000001.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| line["event"]["what"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "master_wrapped",
            "keys_created",
            "keys_created",
            "keys_created",
            "keys_destroyed",
            "keys_created",
            "keys_destroyed",
            "keys_created",
            "master_wrapped",
            "master_rotated",
            "keys_destroyed",
            "master_wrapped",
            "master_rewrapped",
            "database_dropped",
            "keys_destroyed",
            "master_unwrapped",
            "keys_unwrapped",
        ]
    );
    assert_eq!(lines[2]["event"]["keys"][0]["database"], 11);
    assert_eq!(lines[8]["kms"]["region"], "eu-west-1");
    assert_eq!(lines[9]["event"]["rewrapped"], 3);
    assert!(lines[11]["outcome"]["failed"].as_str().unwrap().contains("DisabledException"));
    assert_eq!(lines[12]["outcome"], "done");
    let report = log.verify(&[]).unwrap();
    assert!(report.is_sound());
    assert_eq!(report.authenticated, 17);
    assert!(verify(&world.dir.path().join("audit"), again.audit_key().as_ref(), &[]).unwrap().is_sound());
    let keys = [keyring.current(coffer_keyring::KeyOwner::Raft).unwrap()];
    assert!(keys.iter().all(|key| !text.contains(&hex::encode(key.bytes()))));
}

#[tokio::test]
async fn the_key_outlives_rotations_and_is_another_after_off_and_on() {
    let world = World::new();
    let keyring = world.create().await;
    let dir = world.dir.path().join("audit");
    let log = Arc::new(AuditLog::open(&dir, keyring.audit_key()).unwrap());
    keyring.set_audit(log.clone());
    keyring.rotate_master(&world.kms, &world.cmk, &world.home, 1).await.unwrap();
    let head = log.head();
    let again = world.unseal().await.unwrap();
    assert!(verify(&dir, again.audit_key().as_ref(), &[head]).unwrap().is_sound());

    let plain = coffer_keyring::FormChange::to_plain(&keyring, 2).unwrap().commit().unwrap();
    log.set_key(plain.audit_key());
    plain.create_database(ONE, 11).unwrap();
    log.append(started(1)).unwrap();
    let change = coffer_keyring::FormChange::to_sealed(&plain, world.params(), &world.kms, 3).await.unwrap();
    let sealed: Keyring = change.commit().unwrap();
    log.set_key(sealed.audit_key());
    log.append(started(2)).unwrap();
    let report = log.verify(&[head]).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(report.unchecked > 0 && report.without_key > 0 && report.unauthenticated_tail == 0, "{report:?}");
    assert_eq!(report.authenticated, 1);
}
