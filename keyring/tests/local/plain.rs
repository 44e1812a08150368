//! A member with encryption off keeps the same file, with a checksum and without keys.

use coffer_keyring::{DatabaseId, Generation, Incarnation, KeyOwner, KeyVersion, Keyring, KeystoreError};

use crate::world::World;

#[test]
fn all_but_the_keys_is_there() {
    let world = World::new();
    let keyring = Keyring::create_plain(&world.path(), world.cluster.clone(), world.member).unwrap();
    assert!(!keyring.encryption_enabled());
    assert!(keyring.wrap_info().is_none());
    let (one, two) = (DatabaseId(1), DatabaseId(2));
    keyring.create_database(one, 1).unwrap();
    keyring.create_database(two, 2).unwrap();
    keyring.drop_database(two, 3).unwrap();
    assert!(matches!(keyring.create_database(two, 2), Err(KeystoreError::Tombstoned { .. })));
    assert_eq!(keyring.next_incarnation().unwrap(), Incarnation(1));
    assert_eq!(keyring.rotate_raft_key().unwrap(), KeyVersion::FIRST);
    keyring.retire_raft_keys_before(KeyVersion(9)).unwrap();
    let staged = keyring.stage_database_key(DatabaseId(4)).unwrap();
    assert!(staged.key().is_none());
    keyring.switch_generation(Generation(2), vec![staged], 5).unwrap();

    let again = Keyring::open_plain(&world.path(), &world.cluster, world.member).unwrap().unwrap();
    for keyring in [keyring, again] {
        assert!(keyring.current(KeyOwner::Raft).is_none());
        assert!(keyring.current(KeyOwner::Database(DatabaseId(4))).is_none());
        assert_eq!(keyring.databases(), [DatabaseId(4)]);
        assert_eq!((keyring.tombstone(one), keyring.tombstone(two)), (Some(5), Some(3)));
        assert_eq!(keyring.generation(), Generation(2));
        assert_eq!(keyring.incarnation(), Incarnation(1));
        let report = keyring.report();
        assert!(!report.encryption && report.masters.is_empty() && report.raft.is_empty());
    }
}

#[test]
fn a_changed_file_is_noticed() {
    let world = World::new();
    let keyring = Keyring::create_plain(&world.path(), world.cluster.clone(), world.member).unwrap();
    keyring.create_database(DatabaseId(1), 1).unwrap();
    let text = std::fs::read_to_string(world.path()).unwrap();
    std::fs::write(world.path(), text.replace("\"log_index\":1", "\"log_index\":2")).unwrap();
    let refused = Keyring::open_plain(&world.path(), &world.cluster, world.member).unwrap_err();
    assert!(refused.to_string().contains("checksum"), "{refused}");
}
