//! Encryption on and off for a member that has data.

use coffer_keyring::keystore::is_encrypted;
use coffer_keyring::{
    DatabaseId, FormChange, FormOrder, Generation, KeyOwner, KeyVersion, Keyring, KeystoreError,
    RaftGeneration, UnsealError,
};

use crate::world::World;

const ONE: DatabaseId = DatabaseId(11);

fn plain(world: &World) -> Keyring {
    let keyring = Keyring::create_plain(&world.path(), world.cluster.clone(), world.member).unwrap();
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(ONE, 11).unwrap();
    keyring.drop_database(DatabaseId(5), 6).unwrap();
    keyring.next_incarnation().unwrap();
    keyring.set_settings(b"settings").unwrap();
    keyring
}

fn open_plain(world: &World) -> Keyring {
    Keyring::open_plain(&world.path(), &world.cluster, world.member).unwrap().unwrap()
}

/// What is carried over.
fn carried(keyring: &Keyring) -> String {
    format!(
        "{} {:?} {:?} {:?}",
        keyring.incarnation(),
        keyring.databases(),
        keyring.report().tombstones,
        keyring.settings()
    )
}

async fn to_sealed(world: &World, keyring: &Keyring, round: u64) -> FormChange {
    FormChange::to_sealed(keyring, world.params(), &world.kms, round).await.unwrap()
}

#[tokio::test]
async fn encryption_is_turned_on_and_off_and_on() {
    let world = World::new();
    let keyring = plain(&world);
    assert_eq!(is_encrypted(&world.path()).unwrap(), Some(false));
    let before = carried(&keyring);
    keyring.order_form_change(true, 3).unwrap();
    assert_eq!(open_plain(&world).pending_form_change(), Some(FormOrder { encryption: true, round: 3 }));

    let change = to_sealed(&world, &keyring, 3).await;
    assert!(change.encrypts() && change.databases() == [DatabaseId::ADMIN, ONE]);
    assert_eq!((change.generation(), change.raft_generation()), (Generation(2), RaftGeneration(1)));
    let made = [KeyOwner::Raft, KeyOwner::Database(ONE), KeyOwner::Database(DatabaseId::ADMIN)];
    let made = made.map(|owner| (owner, *change.key(owner).unwrap().bytes()));
    assert!(change.key(KeyOwner::Database(DatabaseId(99))).is_none());
    assert!(keyring.current(KeyOwner::Raft).is_none() && !keyring.encryption_enabled(), "not switched yet");
    let sealed = change.commit().unwrap();
    assert_eq!(is_encrypted(&world.path()).unwrap(), Some(true));
    for keyring in [&keyring, &sealed, &world.unseal().await.unwrap()] {
        assert!(keyring.encryption_enabled() && keyring.audit_key().is_some());
        assert_eq!(carried(keyring), before);
        assert_eq!((keyring.generation(), keyring.raft_generation()), (Generation(2), RaftGeneration(1)));
        assert_eq!((keyring.encryption_round(), keyring.pending_form_change()), (3, None));
        assert_eq!((keyring.master_round(), keyring.database_round(ONE)), (3, 3), "they are as new as that");
        for (owner, bytes) in made {
            assert_eq!(keyring.current(owner).unwrap().bytes(), &bytes);
        }
    }
    assert!(matches!(
        FormChange::to_sealed(&sealed, world.params(), &world.kms, 4).await,
        Err(UnsealError::Keystore(KeystoreError::HasKeys))
    ));

    sealed.add_database_key(ONE, 4).unwrap();
    let change = FormChange::to_plain(&sealed, 5).unwrap();
    assert!(!change.encrypts() && change.key(KeyOwner::Raft).is_none());
    let off = change.commit().unwrap();
    let text = std::fs::read_to_string(world.path()).unwrap();
    assert!(!text.contains("\"wrapped\"") && !text.contains("ciphertext"));
    for keyring in [&off, &open_plain(&world)] {
        assert!(!keyring.encryption_enabled() && keyring.current(KeyOwner::Raft).is_none());
        assert!(keyring.audit_key().is_none() && keyring.wrap_info().is_none());
        assert_eq!(carried(keyring), before);
        assert_eq!((keyring.generation(), keyring.raft_generation()), (Generation(3), RaftGeneration(2)));
        assert_eq!((keyring.encryption_round(), keyring.database_round(ONE)), (5, 5));
    }
    assert!(matches!(FormChange::to_plain(&off, 6), Err(KeystoreError::NoKeys)));

    let on = to_sealed(&world, &off, 6).await.commit().unwrap();
    assert_eq!(carried(&on), before);
    // Versions are not used again: what is left of an older time does not pass for newer.
    for owner in [KeyOwner::Raft, KeyOwner::Database(ONE)] {
        assert_eq!(on.current(owner).unwrap().version(), KeyVersion(3));
    }
    assert_eq!(on.wrap_info().unwrap().version, KeyVersion(3));
    assert_eq!(world.unseal().await.unwrap().report(), on.report());
}

#[tokio::test]
async fn a_change_that_is_not_finished_leaves_everything() {
    let world = World::new();
    let keyring = plain(&world);
    let file = std::fs::read(world.path()).unwrap();
    world.admin.outage(&world.home).unwrap();
    let refused = FormChange::to_sealed(&keyring, world.params(), &world.kms, 1).await;
    assert!(matches!(refused, Err(UnsealError::Kms(_))));
    world.admin.restore(&world.home).unwrap();
    drop(to_sealed(&world, &keyring, 1).await);
    assert_eq!(std::fs::read(world.path()).unwrap(), file);

    for edit in [
        (|keyring: &Keyring| keyring.create_database(DatabaseId(20), 20).unwrap()) as fn(&Keyring),
        |keyring| keyring.drop_database(ONE, 21).unwrap(),
        |keyring| {
            let staged = keyring.databases().into_iter().map(|id| keyring.stage_database_key(id).unwrap());
            keyring.switch_generation(Generation(2), staged.collect(), 30).unwrap();
        },
    ] {
        let change = to_sealed(&world, &keyring, 1).await;
        edit(&keyring);
        assert!(matches!(change.commit(), Err(KeystoreError::FormStale)));
    }
    // What does not touch the data may happen meanwhile, and is kept.
    let change = to_sealed(&world, &keyring, 1).await;
    let twin = to_sealed(&world, &keyring, 1).await;
    keyring.next_incarnation().unwrap();
    keyring.set_settings(b"later").unwrap();
    change.commit().unwrap();
    assert_eq!(world.unseal().await.unwrap().settings().unwrap(), b"later");
    assert!(matches!(twin.commit(), Err(KeystoreError::FormStale)), "only one of two is committed");
}

#[tokio::test]
async fn an_order_for_the_form_that_is_there_is_done_at_once() {
    let world = World::new();
    let keyring = world.create().await;
    keyring.order_form_change(false, 4).unwrap();
    let pending = world.unseal().await.unwrap().pending_form_change();
    assert_eq!(pending, Some(FormOrder { encryption: false, round: 4 }));
    assert_eq!(keyring.encryption_round(), 0);
    // Called off by an order for the form that is there.
    keyring.order_form_change(true, 5).unwrap();
    for keyring in [&keyring, &world.unseal().await.unwrap()] {
        assert_eq!((keyring.pending_form_change(), keyring.encryption_round()), (None, 5));
    }
    let file = std::fs::read(world.path()).unwrap();
    keyring.order_form_change(true, 5).unwrap();
    assert_eq!(std::fs::read(world.path()).unwrap(), file, "nothing to do");
    // A later order for the form that came is done with it, and one for the other form stays.
    keyring.order_form_change(false, 9).unwrap();
    let off = FormChange::to_plain(&keyring, 7).unwrap().commit().unwrap();
    assert_eq!((off.encryption_round(), off.pending_form_change()), (9, None));
    let change = to_sealed(&world, &off, 10).await;
    off.order_form_change(true, 11).unwrap();
    let on = change.commit().unwrap();
    assert_eq!((on.encryption_round(), on.pending_form_change()), (11, None));
    let change = FormChange::to_plain(&on, 12).unwrap();
    on.order_form_change(true, 13).unwrap();
    let off = change.commit().unwrap();
    assert_eq!(
        (off.encryption_round(), off.pending_form_change()),
        (13, None),
        "it was for the form of then"
    );
}
