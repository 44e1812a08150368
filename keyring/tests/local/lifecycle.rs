//! What a member does with its keys from the first start to the last.

use std::sync::Arc;

use coffer_keyring::kms::KmsErrorClass;
use coffer_keyring::{
    DatabaseId, Generation, Incarnation, KeyOwner, KeyVersion, Keyring, KeystoreError, SealedKeystore,
    UnsealError,
};

use crate::world::World;

const ONE: DatabaseId = DatabaseId(11);
const TWO: DatabaseId = DatabaseId(12);

fn key(keyring: &Keyring, owner: KeyOwner) -> [u8; 32] {
    *keyring.current(owner).expect("there is a key").bytes()
}

#[tokio::test]
async fn keys_survive_a_restart_and_open_through_the_cmk_only() {
    let world = World::new();
    let keyring = world.create().await;
    assert!(keyring.encryption_enabled());
    assert_eq!(keyring.incarnation(), Incarnation(0));
    assert_eq!(keyring.generation(), Generation(1));
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(ONE, 11).unwrap();
    assert_eq!(keyring.next_incarnation().unwrap(), Incarnation(1));
    let raft = key(&keyring, KeyOwner::Raft);
    let one = key(&keyring, KeyOwner::Database(ONE));
    let admin = key(&keyring, KeyOwner::Database(DatabaseId::ADMIN));
    assert!(raft != one && one != admin && raft != admin);
    drop(keyring);

    let again = world.unseal().await.unwrap();
    assert_eq!(key(&again, KeyOwner::Raft), raft);
    assert_eq!(key(&again, KeyOwner::Database(ONE)), one);
    assert_eq!(key(&again, KeyOwner::Database(DatabaseId::ADMIN)), admin);
    assert_eq!(again.databases(), [DatabaseId::ADMIN, ONE]);
    assert_eq!(again.incarnation(), Incarnation(1));

    world.admin.disable(&world.cmk).unwrap();
    let refused = world.unseal().await.unwrap_err();
    assert_eq!(refused.class(), Some(KmsErrorClass::Denied));
    assert!(refused.to_string().contains("keystore.json"), "{refused}");
    world.admin.enable(&world.cmk).unwrap();
    world.admin.outage(&world.home).unwrap();
    assert_eq!(world.unseal().await.unwrap_err().class(), Some(KmsErrorClass::Unreachable));
    // The replica in the other Region opens the same wrap.
    let there = world.sealed().unseal(&world.kms, &world.away).await.unwrap();
    assert_eq!(key(&there, KeyOwner::Raft), raft);
}

#[tokio::test]
async fn nothing_is_made_before_the_service_is_proven() {
    let world = World::new();
    world.admin.outage(&world.home).unwrap();
    let refused = Keyring::create(&world.path(), world.params(), &world.kms).await.unwrap_err();
    assert_eq!(refused.class(), Some(KmsErrorClass::Unreachable));
    assert!(!world.path().parent().unwrap().exists());
    world.admin.restore(&world.home).unwrap();
    world.create().await;
    let twice = Keyring::create(&world.path(), world.params(), &world.kms).await.unwrap_err();
    assert!(twice.to_string().contains("there is a keystore already"), "{twice}");
}

#[tokio::test]
async fn the_keystore_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.create().await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.path()), 0o600);
    assert_eq!(mode(world.path().parent().unwrap()), 0o700);
    assert_eq!(std::fs::read_dir(world.path().parent().unwrap()).unwrap().count(), 1, "no temporary file");
}

#[tokio::test]
async fn a_missing_keystore_is_no_error() {
    let world = World::new();
    assert!(SealedKeystore::open(&world.path(), &world.cluster, world.member).unwrap().is_none());
    assert!(Keyring::open_plain(&world.path(), &world.cluster, world.member).unwrap().is_none());
}

#[tokio::test]
async fn a_dropped_database_is_gone_and_never_comes_back() {
    let world = World::new();
    let keyring = world.create().await;
    keyring.create_database(ONE, 11).unwrap();
    let held = keyring.current(KeyOwner::Database(ONE)).unwrap();
    let first = *held.bytes();
    keyring.create_database(ONE, 11).unwrap();
    assert_eq!(key(&keyring, KeyOwner::Database(ONE)), first, "the second call did nothing");

    keyring.drop_database(ONE, 30).unwrap();
    assert!(keyring.current(KeyOwner::Database(ONE)).is_none());
    assert!(keyring.get(KeyOwner::Database(ONE), KeyVersion::FIRST).is_none());
    assert_eq!(held.bytes(), &first, "what still holds the key can finish");
    assert_eq!(Arc::strong_count(&held), 1, "and is the last that does");
    keyring.drop_database(ONE, 31).unwrap();
    assert_eq!(keyring.tombstone(ONE), Some(30), "the second call did nothing");

    let again = world.unseal().await.unwrap();
    assert!(again.databases().is_empty());
    assert_eq!(again.tombstone(ONE), Some(30));
    let refused = again.create_database(ONE, 11).unwrap_err();
    assert!(matches!(refused, KeystoreError::Tombstoned { database: ONE, log_index: 30 }));
    assert!(matches!(again.stage_database_key(ONE), Err(KeystoreError::Tombstoned { .. })));

    again.drop_database(TWO, 40).unwrap();
    assert!(matches!(again.create_database(TWO, 12), Err(KeystoreError::Tombstoned { .. })));
    again.prune_tombstones(30).unwrap();
    assert_eq!((again.tombstone(ONE), again.tombstone(TWO)), (None, Some(40)));
    assert!(matches!(again.drop_database(DatabaseId::ADMIN, 41), Err(KeystoreError::AdminDatabase)));
}

#[tokio::test]
async fn a_destroyed_key_leaves_the_file() {
    let world = World::new();
    let keyring = world.create().await;
    keyring.create_database(ONE, 11).unwrap();
    let before = std::fs::read_to_string(world.path()).unwrap();
    let wrapped = before.split("\"databases\"").nth(1).and_then(|rest| rest.split("\"wrapped\":\"").nth(1));
    let wrapped = wrapped.and_then(|rest| rest.split('"').next()).unwrap();
    assert_eq!(wrapped.len(), 80, "base64 of 60 bytes");
    keyring.drop_database(ONE, 30).unwrap();
    assert!(!std::fs::read_to_string(world.path()).unwrap().contains(wrapped));
}

#[tokio::test]
async fn a_generation_is_switched_at_once() {
    let world = World::new();
    let keyring = world.create().await;
    for (id, log_index) in [(DatabaseId::ADMIN, 0), (ONE, 11), (TWO, 12)] {
        keyring.create_database(id, log_index).unwrap();
    }
    let old = key(&keyring, KeyOwner::Database(ONE));
    let three = DatabaseId(50);
    let staged: Vec<_> =
        [DatabaseId::ADMIN, ONE, three].map(|id| keyring.stage_database_key(id).unwrap()).into();
    assert_eq!(staged[1].version(), KeyVersion(2));
    assert_eq!(staged[2].version(), KeyVersion::FIRST);
    let fresh = *staged[1].key().unwrap().bytes();
    assert_eq!(key(&keyring, KeyOwner::Database(ONE)), old, "staged is not live");
    assert_eq!(world.unseal().await.unwrap().databases().len(), 3, "staged is not on disk");

    assert!(matches!(
        keyring.switch_generation(Generation(1), staged.clone(), 60),
        Err(KeystoreError::GenerationNotNewer { .. })
    ));
    keyring.switch_generation(Generation(2), staged.clone(), 60).unwrap();
    for keyring in [keyring, world.unseal().await.unwrap()] {
        assert_eq!(keyring.generation(), Generation(2));
        assert_eq!(keyring.databases(), [DatabaseId::ADMIN, ONE, three]);
        assert_eq!(key(&keyring, KeyOwner::Database(ONE)), fresh);
        assert!(keyring.get(KeyOwner::Database(ONE), KeyVersion::FIRST).is_none(), "the old key is gone");
        assert!(keyring.current(KeyOwner::Database(TWO)).is_none());
        assert_eq!(keyring.tombstone(TWO), Some(60));
        assert!(keyring.current(KeyOwner::Raft).is_some());
    }
}

#[tokio::test]
async fn a_switch_that_cannot_be_is_refused_whole() {
    let world = World::new();
    let keyring = world.create().await;
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(ONE, 11).unwrap();
    let admin = keyring.stage_database_key(DatabaseId::ADMIN).unwrap();
    let one = keyring.stage_database_key(ONE).unwrap();
    let next = Generation(2);
    let switch = |staged| keyring.switch_generation(next, staged, 60);
    assert!(matches!(switch(vec![one.clone()]), Err(KeystoreError::AdminDatabase)));
    let twice = vec![admin.clone(), one.clone(), one.clone()];
    assert!(matches!(switch(twice), Err(KeystoreError::StagedTwice(ONE))));
    assert_eq!(keyring.generation(), Generation(1));
    assert_eq!(keyring.databases(), [DatabaseId::ADMIN, ONE]);
    assert_eq!(keyring.report(), world.unseal().await.unwrap().report());

    switch(vec![admin, one.clone()]).unwrap();
    let admin = keyring.stage_database_key(DatabaseId::ADMIN).unwrap();
    let late = keyring.switch_generation(Generation(3), vec![admin, one], 70);
    assert!(matches!(late, Err(KeystoreError::StagedStale(ONE))));
}

#[tokio::test]
async fn raft_keys_rotate_and_retire() {
    let world = World::new();
    let keyring = world.create().await;
    let first = key(&keyring, KeyOwner::Raft);
    assert_eq!(keyring.rotate_raft_key().unwrap(), KeyVersion(2));
    assert_eq!(keyring.rotate_raft_key().unwrap(), KeyVersion(3));
    assert_ne!(key(&keyring, KeyOwner::Raft), first);
    assert_eq!(keyring.get(KeyOwner::Raft, KeyVersion::FIRST).unwrap().bytes(), &first);
    assert!(matches!(
        keyring.retire_raft_keys_before(KeyVersion(4)),
        Err(KeystoreError::UnknownRaftKey(KeyVersion(4)))
    ));
    keyring.retire_raft_keys_before(KeyVersion(3)).unwrap();
    keyring.retire_raft_keys_before(KeyVersion(3)).unwrap();
    for keyring in [&keyring, &world.unseal().await.unwrap()] {
        assert!(keyring.get(KeyOwner::Raft, KeyVersion(2)).is_none());
        assert_eq!(keyring.current(KeyOwner::Raft).unwrap().version(), KeyVersion(3));
    }
    assert_eq!(world.unseal().await.unwrap().rotate_raft_key().unwrap(), KeyVersion(4));
}

#[tokio::test]
async fn the_report_shows_all_levels_and_no_key() {
    let world = World::new();
    let keyring = world.create().await;
    keyring.create_database(ONE, 11).unwrap();
    keyring.drop_database(TWO, 20).unwrap();
    let report = keyring.report();
    assert!(report.encryption);
    assert_eq!(report.masters.len(), 1);
    assert_eq!(report.masters[0].cmk, world.cmk);
    assert_eq!(report.masters[0].region, world.home);
    assert!(report.masters[0].key_material_id.is_some());
    assert_eq!(report.raft[0].wrapped_by, report.masters[0].version);
    assert_eq!((report.databases[0].id, report.databases[0].log_index), (ONE, 11));
    assert_eq!((report.tombstones[0].id, report.tombstones[0].log_index), (TWO, 20));
    assert!(report.raft[0].created.unix() > 1_700_000_000);

    let secret = hex::encode(key(&keyring, KeyOwner::Raft));
    let shown = serde_json::to_string(&report).unwrap()
        + &format!("{keyring:?} {:?}", keyring.current(KeyOwner::Raft));
    assert!(!shown.contains(&secret) && !shown.contains("ciphertext"));
    assert!(!std::fs::read_to_string(world.path()).unwrap().contains(&secret));
}

#[tokio::test]
async fn a_thousand_databases_stay_fast() {
    let world = World::new();
    let keyring = world.create().await;
    let staged = (0..1000).map(|id| keyring.stage_database_key(DatabaseId(id)).unwrap()).collect();
    keyring.switch_generation(Generation(2), staged, 5000).unwrap();
    let started = std::time::Instant::now();
    let rounds = 20;
    for id in 1000..1000 + rounds {
        keyring.create_database(DatabaseId(id), id).unwrap();
    }
    let each = started.elapsed() / u32::try_from(rounds).unwrap();
    println!("a replacement with 1,000 databases takes {each:?}");
    // Some milliseconds by design; the limit leaves room for a slow disk and a busy machine.
    assert!(each.as_millis() < 500, "{each:?}");
    let len = std::fs::metadata(world.path()).unwrap().len();
    assert!(len < 400_000, "{len} bytes");
    let again = world.unseal().await.unwrap();
    assert_eq!(again.databases().len(), 1020);
    assert_eq!(again.report(), keyring.report());
}

#[tokio::test]
async fn many_threads_share_a_keyring() {
    let world = World::new();
    let keyring = world.create().await;
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let keyring = keyring.clone();
            scope.spawn(move || {
                for at in 0..8 {
                    let id = DatabaseId(100 + thread * 8 + at);
                    keyring.create_database(id, id.0).unwrap();
                    assert!(keyring.current(KeyOwner::Database(id)).is_some());
                    if at % 2 == 0 {
                        keyring.drop_database(id, 1000 + id.0).unwrap();
                        assert!(keyring.current(KeyOwner::Database(id)).is_none());
                    }
                }
            });
        }
    });
    assert_eq!(keyring.databases().len(), 16);
    assert_eq!(world.unseal().await.unwrap().report(), keyring.report());
}

#[tokio::test]
async fn it_is_not_unwrapped_before_its_cmk_was_compared() {
    let world = World::new();
    world.create().await;
    let sealed = SealedKeystore::open(&world.path(), &world.cluster, world.member).unwrap().unwrap();
    let refused = sealed.unseal(&world.kms, &world.home).await.unwrap_err();
    assert!(matches!(refused, UnsealError::NotVouched));
    assert_eq!(refused.class(), None);
}
