//! The rotation of the master key and of database keys.

use std::collections::BTreeSet;

use async_trait::async_trait;
use coffer_keyring::kms::local::LocalKms;
use coffer_keyring::kms::{
    EncryptionContext, KeyArn, KeyDescription, Kms, KmsError, KmsErrorClass, Region, Unwrapped, Wrapped,
};
use coffer_keyring::{
    DatabaseId, Generation, KeyOwner, KeyVersion, Keyring, KeystoreError, SealedKeystore, UnsealError,
};

use crate::world::World;

const ONE: DatabaseId = DatabaseId(11);

/// Every key, by owner and version.
fn keys(keyring: &Keyring) -> Vec<(KeyOwner, KeyVersion, [u8; 32])> {
    let report = keyring.report();
    let raft = report.raft.iter().map(|key| (KeyOwner::Raft, key.version));
    let databases = report
        .databases
        .iter()
        .flat_map(|database| database.keys.iter().map(|key| (KeyOwner::Database(database.id), key.version)));
    let key = |(owner, version)| (owner, version, *keyring.get(owner, version).unwrap().bytes());
    raft.chain(databases).map(key).collect()
}

async fn filled(world: &World) -> Keyring {
    let keyring = world.create().await;
    keyring.create_database(DatabaseId::ADMIN, 0).unwrap();
    keyring.create_database(ONE, 11).unwrap();
    keyring.add_database_key(ONE, 1).unwrap();
    keyring.rotate_raft_key().unwrap();
    keyring.drop_database(DatabaseId(5), 6).unwrap();
    keyring
}

#[tokio::test]
async fn a_new_master_key_wraps_the_same_keys() {
    let world = World::new();
    let keyring = filled(&world).await;
    let (before, old_file) = (keys(&keyring), std::fs::read_to_string(world.path()).unwrap());
    let done = keyring.rotate_master(&world.kms, &world.cmk, &world.home, 7).await.unwrap();
    assert_eq!((done.replaced, done.version, done.rewrapped), (KeyVersion(1), KeyVersion(2), 6));
    assert_eq!((done.replaced_wrap.version, done.wrap.version), (KeyVersion(1), KeyVersion(2)));
    let new_file = std::fs::read_to_string(world.path()).unwrap();
    for keyring in [&keyring, &world.unseal().await.unwrap()] {
        assert_eq!(keys(keyring), before, "to the last bit");
        assert_eq!(keyring.master_round(), 7);
        let report = keyring.report();
        assert_eq!(report.masters.len(), 1, "the old one is gone");
        let wraps = report.raft.iter().chain(&report.audit);
        let wraps = wraps.chain(report.databases.iter().flat_map(|database| &database.keys));
        assert!(wraps.clone().count() == 6 && wraps.clone().all(|key| key.wrapped_by == KeyVersion(2)));
    }
    // Nothing that the old master key had wrapped is left, nor its own wrap.
    for mark in ["\"wrapped\":\"", "\"ciphertext\":\""] {
        for part in old_file.split(mark).skip(1) {
            let wrapped = part.split('"').next().unwrap();
            assert!(wrapped.len() > 60 && !new_file.contains(wrapped));
        }
    }
    // An older round is not noted over a later one.
    keyring.rotate_master(&world.kms, &world.cmk, &world.home, 3).await.unwrap();
    assert_eq!(keyring.master_round(), 7);
}

#[tokio::test]
async fn the_old_wrap_does_not_open_the_new_file() {
    let world = World::new();
    let keyring = filled(&world).await;
    let masters = |text: &str| {
        let from = text.find("\"masters\":").unwrap();
        let to = text.find(",\"raft\":").unwrap();
        (from, to, text[from..to].to_owned())
    };
    let old = masters(&std::fs::read_to_string(world.path()).unwrap()).2;
    keyring.rotate_master(&world.kms, &world.cmk, &world.home, 1).await.unwrap();
    let new = std::fs::read_to_string(world.path()).unwrap();
    let (from, to, _) = masters(&new);
    // As it is, and with the version that the file's other parts name.
    for planted in [old.clone(), old.replacen("\"version\":1", "\"version\":2", 1)] {
        std::fs::write(world.path(), format!("{}{planted}{}", &new[..from], &new[to..])).unwrap();
        let refused = world.unseal().await.unwrap_err();
        assert!(matches!(refused, UnsealError::Keystore(KeystoreError::File(_))), "{refused}");
    }
}

#[tokio::test]
async fn a_new_cmk_needs_nothing_of_the_old_one() {
    let world = World::new();
    let keyring = filled(&world).await;
    let before = keys(&keyring);
    let new = world.admin.create(&world.away, false).unwrap();
    world.admin.outage(&world.home).unwrap();
    world.admin.disable(&world.cmk).unwrap();
    let done = keyring.rotate_master(&world.kms, &new, &world.away, 1).await.unwrap();
    assert_eq!((&done.replaced_wrap.cmk, &done.wrap.cmk), (&world.cmk, &new));
    assert_eq!(keyring.wrap_info().unwrap().cmk, new);

    let open = || SealedKeystore::open(&world.path(), &world.cluster, world.member).unwrap().unwrap();
    let old_only = open();
    let refused = old_only.vouch(std::slice::from_ref(&world.cmk)).unwrap_err();
    assert!(matches!(&refused, KeystoreError::ForeignCmk { found, .. } if **found == new));
    // The configuration still names the old one, and the peers the new one.
    let named = open();
    let other = world.admin.create(&world.away, true).unwrap();
    let refused = named.vouch(&[world.cmk.clone(), other.clone()]).unwrap_err().to_string();
    assert!(refused.contains(&format!("and the peers {other}")), "{refused}");
    named.vouch(&[world.cmk.clone(), new]).unwrap();
    assert_eq!(keys(&named.unseal(&world.kms, &world.away).await.unwrap()), before);
}

/// A service in front of which something happens.
struct Before<F: Fn() + Send + Sync> {
    inner: LocalKms,
    event: F,
    lie: bool,
}

#[async_trait]
impl<F: Fn() + Send + Sync> Kms for Before<F> {
    async fn encrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        (self.event)();
        self.inner.encrypt(region, key, plaintext, context).await
    }

    async fn decrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        let mut answer = self.inner.decrypt(region, key, ciphertext, context).await?;
        answer.plaintext[0] ^= u8::from(self.lie);
        Ok(answer)
    }

    async fn describe(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError> {
        self.inner.describe(region, key).await
    }
}

#[tokio::test]
async fn keys_that_come_while_kms_is_asked_are_wrapped_too() {
    let world = World::new();
    let keyring = filled(&world).await;
    let event = || {
        keyring.create_database(DatabaseId(20), 20).unwrap();
        keyring.drop_database(ONE, 21).unwrap();
        keyring.rotate_raft_key().unwrap();
    };
    let kms = Before { inner: world.kms.clone(), event, lie: false };
    keyring.rotate_master(&kms, &world.cmk, &world.home, 1).await.unwrap();
    assert!(keyring.current(KeyOwner::Database(DatabaseId(20))).is_some());
    let again = world.unseal().await.unwrap();
    assert_eq!(keys(&again), keys(&keyring));
    assert_eq!(again.report(), keyring.report());
    assert_eq!(again.databases(), [DatabaseId::ADMIN, DatabaseId(20)]);
}

#[tokio::test]
async fn rotations_and_rewraps_at_once_leave_one_that_opens() {
    let world = World::new();
    let keyring = filled(&world).await;
    let before = keys(&keyring);
    let one = keyring.rotate_master(&world.kms, &world.cmk, &world.home, 1);
    let two = keyring.rotate_master(&world.kms, &world.cmk, &world.away, 2);
    let three = keyring.rewrap_master(&world.kms, &world.away);
    let (one, two, three) = tokio::join!(one, two, three);
    let versions = BTreeSet::from([one.unwrap().version, two.unwrap().version]);
    three.unwrap();
    assert_eq!(versions, BTreeSet::from([KeyVersion(2), KeyVersion(3)]));
    let again = world.unseal().await.unwrap();
    assert_eq!(keys(&again), before);
    assert_eq!((again.report(), again.master_round()), (keyring.report(), 2));
    // A master key that was replaced while its rewrap was on the way stays replaced.
    let late = keyring.clone();
    let (kms, cmk, home) = (world.kms.clone(), world.cmk.clone(), world.home.clone());
    let (send, receive) = std::sync::mpsc::channel();
    let event = move || {
        let (late, kms, cmk, home) = (late.clone(), kms.clone(), cmk.clone(), home.clone());
        let send = send.clone();
        let rotate = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            send.send(runtime.block_on(late.rotate_master(&kms, &cmk, &home, 3)).unwrap().version).unwrap();
        };
        std::thread::spawn(rotate).join().unwrap();
    };
    keyring
        .rewrap_master(&Before { inner: world.kms.clone(), event, lie: false }, &world.home)
        .await
        .unwrap();
    assert_eq!(receive.recv().unwrap(), KeyVersion(4));
    assert_eq!(keys(&world.unseal().await.unwrap()), before);
}

#[tokio::test]
async fn a_service_that_refuses_or_lies_changes_nothing() {
    let world = World::new();
    let keyring = filled(&world).await;
    let file = std::fs::read(world.path()).unwrap();
    let rotate =
        async |kms: &dyn Kms| keyring.rotate_master(kms, &world.cmk, &world.home, 1).await.unwrap_err();

    let lying = Before { inner: world.kms.clone(), event: || (), lie: true };
    assert!(matches!(rotate(&lying).await, UnsealError::NotProven(_)));
    assert!(matches!(keyring.rewrap_master(&lying, &world.home).await, Err(UnsealError::NotProven(_))));
    world.admin.outage(&world.home).unwrap();
    assert_eq!(rotate(&world.kms).await.class(), Some(KmsErrorClass::Unreachable));
    world.admin.restore(&world.home).unwrap();
    world.admin.disable(&world.cmk).unwrap();
    assert_eq!(rotate(&world.kms).await.class(), Some(KmsErrorClass::Denied));
    assert_eq!(std::fs::read(world.path()).unwrap(), file);
    assert_eq!(keyring.wrap_info().unwrap().version, KeyVersion(1));
    world.admin.enable(&world.cmk).unwrap();
    assert_eq!(keys(&world.unseal().await.unwrap()), keys(&keyring));

    let plain = World::new();
    let plain = Keyring::create_plain(&plain.path(), plain.cluster.clone(), plain.member).unwrap();
    let refused = plain.rotate_master(&world.kms, &world.cmk, &world.home, 1).await.unwrap_err();
    assert!(matches!(refused, UnsealError::Keystore(KeystoreError::NoKeys)));
    let refused = plain.rewrap_master(&world.kms, &world.home).await.unwrap_err();
    assert!(matches!(refused, UnsealError::Keystore(KeystoreError::NoKeys)));
}

#[tokio::test]
async fn a_stale_wrap_is_renewed() {
    let world = World::new();
    let keyring = filled(&world).await;
    let (before, old) = (keys(&keyring), keyring.wrap_info().unwrap());
    world.admin.rotate(&world.cmk).unwrap();
    keyring.rewrap_master(&world.kms, &world.home).await.unwrap();
    let new = keyring.wrap_info().unwrap();
    assert_eq!(new.version, old.version, "the same master key");
    assert_ne!(new.key_material_id, old.key_material_id);
    let again = world.unseal().await.unwrap();
    assert_eq!((keys(&again), again.wrap_info().unwrap()), (before, new));
}

#[tokio::test]
async fn a_thousand_databases_get_a_new_master_key() {
    let world = World::new();
    let keyring = world.create().await;
    let staged = (0..1000).map(|id| keyring.stage_database_key(DatabaseId(id)).unwrap()).collect();
    keyring.switch_generation(Generation(2), staged, 5000).unwrap();
    let before = keys(&keyring);
    let started = std::time::Instant::now();
    let done = keyring.rotate_master(&world.kms, &world.cmk, &world.home, 1).await.unwrap();
    println!("a new master key for 1,000 databases took {:?}", started.elapsed());
    assert_eq!(done.rewrapped, 1002);
    assert_eq!(keys(&world.unseal().await.unwrap()), before);
}

#[tokio::test]
async fn a_database_key_is_rotated_and_the_old_one_goes_when_no_file_needs_it() {
    let world = World::new();
    let keyring = filled(&world).await;
    let owner = KeyOwner::Database(ONE);
    assert_eq!((keyring.database_round(ONE), keyring.current(owner).unwrap().version()), (1, KeyVersion(2)));
    assert_eq!(keyring.database_round(DatabaseId(99)), 0);
    assert_eq!(keyring.add_database_key(ONE, 8).unwrap(), KeyVersion(3));
    let unknown = keyring.add_database_key(DatabaseId(99), 1);
    assert!(matches!(unknown, Err(KeystoreError::UnknownDatabase(DatabaseId(99)))));
    assert!(matches!(keyring.add_database_key(DatabaseId(5), 1), Err(KeystoreError::Tombstoned { .. })));

    let needed = BTreeSet::from([KeyVersion(1)]);
    assert_eq!(keyring.retire_database_keys(ONE, &needed).unwrap(), [KeyVersion(2)]);
    assert!(keyring.get(owner, KeyVersion(2)).is_none() && keyring.get(owner, KeyVersion(1)).is_some());
    assert_eq!(keyring.retire_database_keys(ONE, &BTreeSet::new()).unwrap(), [KeyVersion(1)]);
    assert_eq!(keyring.retire_database_keys(ONE, &BTreeSet::new()).unwrap(), []);
    let again = world.unseal().await.unwrap();
    assert_eq!(again.database_round(ONE), 8);
    assert_eq!(keys(&again), keys(&keyring));
    assert_eq!(again.current(owner).unwrap().version(), KeyVersion(3));
}

#[tokio::test]
async fn settings_are_cached_under_the_seal() {
    let world = World::new();
    let keyring = world.create().await;
    assert_eq!((keyring.settings(), world.sealed().settings()), (None, None));
    keyring.set_settings(b"\0settings\xff").unwrap();
    keyring.set_settings(b"\0settings\xff").unwrap();
    assert_eq!(world.sealed().settings(), Some(&b"\0settings\xff"[..]), "readable before it is unsealed");
    assert_eq!(world.unseal().await.unwrap().settings().unwrap(), b"\0settings\xff");
    let refused = keyring.set_settings(&vec![7; 65_537]);
    assert!(matches!(refused, Err(KeystoreError::SettingsTooLarge { len: 65_537, limit: 65_536 })));
    keyring.set_settings(&[7; 65_536]).unwrap();
    assert_eq!(world.unseal().await.unwrap().settings().unwrap(), [7; 65_536]);

    keyring.set_settings(b"AAA").unwrap();
    let text = std::fs::read_to_string(world.path()).unwrap();
    std::fs::write(world.path(), text.replace("\"settings\":\"QUFB\"", "\"settings\":\"QkJC\"")).unwrap();
    assert_eq!(world.sealed().settings(), Some(&b"BBB"[..]), "not to be trusted yet");
    assert!(world.unseal().await.unwrap_err().to_string().contains("MAC does not fit"));
}
