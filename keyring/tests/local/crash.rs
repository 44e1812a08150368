//! A power loss at any step of a replacement leaves the old keystore or the new one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use coffer_keyring::keystore::FileError;
use coffer_keyring::{
    DatabaseId, FormChange, Generation, KeyOwner, KeyVersion, Keyring, KeystoreError, SealedKeystore,
};

use crate::crash_disk::CrashDisk;
use crate::world::World;

const ONE: DatabaseId = DatabaseId(11);

type Files = BTreeMap<PathBuf, Vec<u8>>;
type Change = fn(&Keyring, &World) -> Result<(), String>;

/// Opens what is on a disk, in whichever form it is.
async fn open_on(world: &World, disk: Arc<CrashDisk>) -> Option<Keyring> {
    let plain = Keyring::open_plain_on(&world.path(), &world.cluster, world.member, disk.clone());
    match plain {
        Ok(plain) => plain,
        Err(KeystoreError::EncryptionIsOn { .. }) => {
            let sealed = SealedKeystore::open_on(&world.path(), &world.cluster, world.member, disk);
            let sealed = sealed.expect("the file is whole")?;
            sealed.vouch(std::slice::from_ref(&world.cmk)).unwrap();
            Some(sealed.unseal(&world.kms, &world.home).await.expect("the file is whole"))
        }
        Err(error) => panic!("the file is whole: {error}"),
    }
}

async fn unseal_on(world: &World, disk: CrashDisk) -> Option<Keyring> {
    open_on(world, Arc::new(disk)).await
}

/// Dates are left out: a change that is made twice is made at two times.
fn shape(keyring: &Keyring) -> String {
    let report = keyring.report();
    let raft: Vec<_> = report.raft.iter().map(|key| (key.version, key.wrapped_by)).collect();
    let databases: Vec<_> = report
        .databases
        .iter()
        .map(|database| {
            let keys: Vec<_> = database.keys.iter().map(|key| (key.version, key.wrapped_by)).collect();
            (database.id, database.round, keys)
        })
        .collect();
    let masters: Vec<_> =
        report.masters.iter().map(|master| (master.version, &master.key_material_id)).collect();
    format!(
        "{} {} {} {raft:?} {databases:?} {:?} {masters:?} {} {} {:?} {:?} {:?}",
        report.incarnation,
        report.generation,
        report.raft_generation,
        report.tombstones,
        report.master_round,
        report.encryption_round,
        report.form_order,
        report.audit.map(|key| (key.version, key.wrapped_by)),
        keyring.settings(),
    )
}

/// Every key that is there.
fn keys(keyring: &Keyring) -> BTreeMap<(KeyOwner, KeyVersion), [u8; 32]> {
    let report = keyring.report();
    let raft = report.raft.iter().map(|key| (KeyOwner::Raft, key.version));
    let databases = report
        .databases
        .iter()
        .flat_map(|database| database.keys.iter().map(|key| (KeyOwner::Database(database.id), key.version)));
    let bytes = |(owner, version)| *keyring.get(owner, version).expect("what is listed is there").bytes();
    raft.chain(databases).map(|key| (key, bytes(key))).collect()
}

/// Runs what asks KMS inside of a change.
fn wait<T, E: std::fmt::Display>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| runtime.block_on(work)).map_err(|error| error.to_string())
}

fn text<T>(done: Result<T, KeystoreError>) -> Result<(), String> {
    done.map(|_| ()).map_err(|error| error.to_string())
}

/// A sealed keystore with one of everything.
async fn sealed_files(world: &World) -> Files {
    let keyring = world.create().await;
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(ONE, 11).unwrap();
    keyring.add_database_key(ONE, 1).unwrap();
    keyring.drop_database(DatabaseId(5), 15).unwrap();
    keyring.rotate_raft_key().unwrap();
    keyring.set_settings(b"old").unwrap();
    Files::from([(world.path(), std::fs::read(world.path()).unwrap())])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_all_or_nothing() {
    let changes: [(&str, Change); 15] = [
        ("create", |keyring, _| text(keyring.create_database(DatabaseId(12), 12))),
        ("drop", |keyring, _| text(keyring.drop_database(ONE, 20))),
        ("prune", |keyring, _| text(keyring.prune_tombstones(100))),
        ("rotate", |keyring, _| text(keyring.rotate_raft_key())),
        ("retire", |keyring, _| text(keyring.retire_raft_keys_before(KeyVersion(2)))),
        ("incarnation", |keyring, _| text(keyring.next_incarnation())),
        ("switch", |keyring, _| {
            let staged = [DatabaseId(0), DatabaseId(13)].map(|id| keyring.stage_database_key(id).unwrap());
            text(keyring.switch_generation(Generation(2), staged.into(), 30))
        }),
        ("database key", |keyring, _| text(keyring.add_database_key(ONE, 9))),
        ("retire database keys", |keyring, _| text(keyring.retire_database_keys(ONE, &[].into()))),
        ("settings", |keyring, _| text(keyring.set_settings(b"new"))),
        ("order", |keyring, _| text(keyring.order_form_change(false, 4))),
        ("done order", |keyring, _| text(keyring.order_form_change(true, 4))),
        ("master key", |keyring, world| {
            wait(keyring.rotate_master(&world.kms, &world.cmk, &world.home, 5)).map(|_| ())
        }),
        ("rewrap", |keyring, world| wait(keyring.rewrap_master(&world.kms, &world.home))),
        ("to plain", |keyring, _| text(FormChange::to_plain(keyring, 6).unwrap().commit())),
    ];
    let world = World::new();
    let files = sealed_files(&world).await;
    // So that a rewrap shows.
    world.admin.rotate(&world.cmk).unwrap();
    for (name, change) in changes {
        all_or_nothing(&world, &files, name, change).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_plain_keystore_is_all_or_nothing() {
    let changes: [(&str, Change); 4] = [
        ("settings", |keyring, _| text(keyring.set_settings(b"new"))),
        ("order", |keyring, _| text(keyring.order_form_change(true, 4))),
        ("round", |keyring, _| text(keyring.add_database_key(ONE, 9))),
        ("to sealed", |keyring, world| {
            let change = FormChange::to_sealed(keyring, world.params(), &world.kms, 6);
            text(wait(change)?.commit())
        }),
    ];
    let world = World::new();
    let keyring = Keyring::create_plain(&world.path(), world.cluster.clone(), world.member).unwrap();
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(ONE, 11).unwrap();
    keyring.drop_database(DatabaseId(5), 15).unwrap();
    keyring.set_settings(b"old").unwrap();
    let files = Files::from([(world.path(), std::fs::read(world.path()).unwrap())]);
    for (name, change) in changes {
        all_or_nothing(&world, &files, name, change).await;
    }
}

/// A file of the first format is that, or of the second with the same keys.
#[tokio::test(flavor = "multi_thread")]
async fn the_upgrade_of_an_old_format_is_all_or_nothing() {
    let mut world = World::new();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    world.kms = coffer_keyring::kms::local::LocalKms::open(&golden.join("kms-1")).unwrap();
    world.cluster = coffer_keyring::ClusterId::parse("6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11").unwrap();
    world.member = coffer_keyring::MemberId(3);
    let expected = std::fs::read_to_string(golden.join("expected-1.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    world.cmk = coffer_keyring::kms::KeyArn::parse(expected["cmk"].as_str().unwrap()).unwrap();
    let files = Files::from([(world.path(), std::fs::read(golden.join("keystore-1.json")).unwrap())]);
    all_or_nothing(&world, &files, "incarnation", |keyring, _| text(keyring.next_incarnation())).await;
    let files = Files::from([(world.path(), std::fs::read(golden.join("plain-1.json")).unwrap())]);
    all_or_nothing(&world, &files, "incarnation", |keyring, _| text(keyring.next_incarnation())).await;
}

/// Lets the power go at each step of `change`: what is found then opens, and is the old state or the new one; keys that are
/// in both are the same to the last bit.
async fn all_or_nothing(world: &World, files: &Files, name: &str, change: Change) {
    let whole = unseal_on(world, CrashDisk::holding(files.clone())).await.unwrap();
    let (before, old_keys) = (shape(&whole), keys(&whole));
    change(&whole, world).unwrap();
    let after = shape(&whole);
    assert_ne!(before, after, "{name}");
    let (mut olds, mut news) = (0, 0);
    for step in 0.. {
        let disk = Arc::new(CrashDisk::holding(files.clone()));
        let keyring = open_on(world, disk.clone()).await.unwrap();
        disk.lose_power_after(step);
        let reported = change(&keyring, world);
        if reported.is_err() {
            assert_eq!(shape(&keyring), before, "{name}: memory does not run ahead of the disk");
        }
        for files in disk.survivors() {
            let found = unseal_on(world, CrashDisk::holding(files)).await.expect("a keystore");
            let found_keys = keys(&found);
            for (key, bytes) in &old_keys {
                assert!(
                    found_keys.get(key).is_none_or(|found| found == bytes),
                    "{name}: {key:?} is the same"
                );
            }
            let found = shape(&found);
            assert!(found == before || found == after, "{name}, step {step}: {found}\n{before}\n{after}");
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
