//! A power loss at any step of a replacement leaves the old keystore or the new one.

use std::sync::Arc;

use coffer_keyring::keystore::FileError;
use coffer_keyring::{
    DatabaseId, Generation, KeyOwner, KeyVersion, Keyring, KeyringReport, KeystoreError, SealedKeystore,
};

use crate::crash_disk::CrashDisk;
use crate::world::World;

const ONE: DatabaseId = DatabaseId(11);

type Change = fn(&Keyring) -> Result<(), KeystoreError>;

async fn unseal_on(world: &World, disk: CrashDisk) -> Option<Keyring> {
    let disk = Arc::new(disk);
    let sealed = SealedKeystore::open_on(&world.path(), &world.cluster, world.member, disk);
    let sealed = sealed.expect("the file is whole")?;
    sealed.vouch(std::slice::from_ref(&world.cmk)).unwrap();
    Some(sealed.unseal(&world.kms, &world.home).await.expect("the file is whole"))
}

/// Dates are left out: a change that is made twice is made at two times.
fn shape(keyring: &Keyring) -> String {
    let KeyringReport { incarnation, generation, raft, databases, tombstones, .. } = keyring.report();
    let raft: Vec<_> = raft.iter().map(|key| key.version).collect();
    let databases: Vec<_> = databases
        .iter()
        .map(|database| (database.id, database.keys.iter().map(|key| key.version).collect::<Vec<_>>()))
        .collect();
    format!("{incarnation} {generation} {raft:?} {databases:?} {tombstones:?}")
}

#[tokio::test]
async fn every_change_is_all_or_nothing() {
    let changes: [(&str, Change); 7] = [
        ("create", |keyring| keyring.create_database(DatabaseId(12), 12)),
        ("drop", |keyring| keyring.drop_database(ONE, 20)),
        ("prune", |keyring| keyring.prune_tombstones(100)),
        ("rotate", |keyring| keyring.rotate_raft_key().map(|_| ())),
        ("retire", |keyring| keyring.retire_raft_keys_before(KeyVersion(2))),
        ("incarnation", |keyring| keyring.next_incarnation().map(|_| ())),
        ("switch", |keyring| {
            let staged = [DatabaseId(0), DatabaseId(13)].map(|id| keyring.stage_database_key(id).unwrap());
            keyring.switch_generation(Generation(2), staged.into(), 30)
        }),
    ];
    let world = World::new();
    let keyring = world.create().await;
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(ONE, 11).unwrap();
    keyring.drop_database(DatabaseId(5), 15).unwrap();
    keyring.rotate_raft_key().unwrap();
    let files = [(world.path(), std::fs::read(world.path()).unwrap())];
    let before = shape(&keyring);

    for (name, change) in changes {
        let whole = unseal_on(&world, CrashDisk::holding(files.clone().into())).await.unwrap();
        change(&whole).unwrap();
        let after = shape(&whole);
        assert_ne!(before, after, "{name}");
        let (mut olds, mut news) = (0, 0);
        for step in 0.. {
            let disk = Arc::new(CrashDisk::holding(files.clone().into()));
            let sealed = SealedKeystore::open_on(&world.path(), &world.cluster, world.member, disk.clone());
            let sealed = sealed.unwrap().unwrap();
            sealed.vouch(std::slice::from_ref(&world.cmk)).unwrap();
            let keyring = sealed.unseal(&world.kms, &world.home).await.unwrap();
            disk.lose_power_after(step);
            let reported = change(&keyring);
            if reported.is_err() {
                assert_eq!(shape(&keyring), before, "{name}: memory does not run ahead of the disk");
            }
            for files in disk.survivors() {
                let found = unseal_on(&world, CrashDisk::holding(files)).await.expect("a keystore");
                let found = shape(&found);
                assert!(found == before || found == after, "{name}, step {step}: {found}");
                assert!(reported.is_err() || found == after, "{name}: reported, so durable");
                olds += usize::from(found == before);
                news += usize::from(found == after);
            }
            if reported.is_ok() {
                assert_eq!(step, 3, "{name}: write, rename, sync");
                break;
            }
        }
        assert!(olds > 0 && news > 0, "{name}: both sides of the switch were seen");
    }
}

#[tokio::test]
async fn a_first_keystore_is_there_or_not() {
    let world = World::new();
    let (mut absent, mut present) = (0, 0);
    for step in 0.. {
        let disk = Arc::new(CrashDisk::default());
        disk.lose_power_after(step);
        let created = Keyring::create_on(&world.path(), world.params(), &world.kms, disk.clone()).await;
        for files in disk.survivors() {
            let found = unseal_on(&world, CrashDisk::holding(files)).await;
            match (&created, &found) {
                (Ok(keyring), Some(found)) => assert_eq!(keyring.report(), found.report()),
                (Ok(_), None) => panic!("reported, and yet not there"),
                (Err(_), _) => {}
            }
            absent += usize::from(found.is_none());
            present += usize::from(found.is_some());
        }
        if created.is_ok() {
            break;
        }
    }
    assert!(absent > 0 && present > 0);
}

#[tokio::test]
async fn a_full_disk_can_be_tried_again_and_a_failed_switch_cannot() {
    let world = World::new();
    let disk = Arc::new(CrashDisk::default());
    let keyring = Keyring::create_on(&world.path(), world.params(), &world.kms, disk.clone()).await.unwrap();

    disk.fail_once("write_synced");
    let refused = keyring.create_database(ONE, 11).unwrap_err();
    assert!(matches!(refused, KeystoreError::File(FileError::Io { .. })), "{refused}");
    assert!(keyring.current(KeyOwner::Database(ONE)).is_none());
    keyring.create_database(ONE, 11).unwrap();

    for (operation, database) in [("rename", DatabaseId(12)), ("sync_dir", DatabaseId(13))] {
        let disk = Arc::new(CrashDisk::holding(disk.survivors().pop().unwrap()));
        let sealed = SealedKeystore::open_on(&world.path(), &world.cluster, world.member, disk.clone());
        let sealed = sealed.unwrap().unwrap();
        sealed.vouch(std::slice::from_ref(&world.cmk)).unwrap();
        let keyring = sealed.unseal(&world.kms, &world.home).await.unwrap();
        disk.fail_once(operation);
        assert!(keyring.create_database(database, database.0).is_err());
        assert!(keyring.current(KeyOwner::Database(database)).is_none());
        let refused = keyring.next_incarnation().unwrap_err();
        assert!(matches!(refused, KeystoreError::File(FileError::FailStop { .. })), "{refused}");
        assert!(keyring.current(KeyOwner::Database(ONE)).is_some(), "reading goes on");
    }
}
