//! A keystore opens for the member and under the key that it was made for, and for no other.

use coffer_keyring::kms::{KmsErrorClass, Region};
use coffer_keyring::{ClusterId, Keyring, KeystoreError, MemberId, SealedKeystore, UnsealError};

use crate::world::World;

#[tokio::test]
async fn another_members_directory_is_refused() {
    let world = World::new();
    world.create().await;
    let open =
        |cluster: &ClusterId, member| SealedKeystore::open(&world.path(), cluster, member).err().unwrap();
    let error = open(&world.cluster, MemberId(9));
    assert!(matches!(error, KeystoreError::WrongMember { found: MemberId(2), expected: MemberId(9), .. }));
    assert!(error.to_string().contains("keystore.json") && error.to_string().contains("another member"));
    let error = open(&ClusterId::generate(), world.member);
    assert!(matches!(error, KeystoreError::WrongCluster { .. }));
}

#[tokio::test]
async fn a_renamed_keystore_does_not_open() {
    let world = World::new();
    world.create().await;
    // Whoever can write the disk makes the file say that it is member 3's.
    let text = std::fs::read_to_string(world.path()).unwrap();
    let forged = text
        .replace("\"member\":2", "\"member\":3")
        .replace("\"coffer:member\":\"2\"", "\"coffer:member\":\"3\"");
    std::fs::write(world.path(), forged).unwrap();
    let sealed = SealedKeystore::open(&world.path(), &world.cluster, MemberId(3)).unwrap().unwrap();
    sealed.vouch(std::slice::from_ref(&world.cmk)).unwrap();
    let refused = sealed.unseal(&world.kms, &world.home).await.unwrap_err();
    assert_eq!(refused.class(), Some(KmsErrorClass::Misconfigured), "the service refuses the context");
}

#[tokio::test]
async fn a_planted_key_is_not_used() {
    let world = World::new();
    world.create().await;
    let other = world.admin.create(&world.home, true).unwrap();
    let sealed = SealedKeystore::open(&world.path(), &world.cluster, world.member).unwrap().unwrap();
    let refused = sealed.vouch(std::slice::from_ref(&other)).unwrap_err();
    assert!(matches!(refused, KeystoreError::ForeignCmk { .. }));
    let refused = sealed.unseal(&world.kms, &world.home).await.unwrap_err();
    assert!(matches!(refused, UnsealError::NotVouched));
    // A replica of the configured key is the same key.
    sealed.vouch(&[world.cmk.in_region(&world.away).unwrap()]).unwrap();
    sealed.unseal(&world.kms, &world.away).await.unwrap();
}

#[tokio::test]
async fn a_single_region_key_stays_in_its_region() {
    let mut world = World::new();
    world.cmk = world.admin.create(&world.home, false).unwrap();
    world.create().await;
    world.unseal().await.unwrap();
    let refused = world.sealed().unseal(&world.kms, &world.away).await.unwrap_err();
    assert_eq!(refused.class(), Some(KmsErrorClass::Misconfigured));
    assert!(refused.to_string().contains("single-Region key"), "{refused}");
    let mut params = world.params();
    params.region = Region::parse("us-east-1").unwrap();
    std::fs::remove_file(world.path()).unwrap();
    assert!(Keyring::create(&world.path(), params, &world.kms).await.is_err());
}

#[tokio::test]
async fn encryption_on_and_off_do_not_mix() {
    let world = World::new();
    world.create().await;
    let refused = Keyring::open_plain(&world.path(), &world.cluster, world.member).unwrap_err();
    assert!(matches!(refused, KeystoreError::EncryptionIsOn { .. }), "{refused}");
    std::fs::remove_file(world.path()).unwrap();
    Keyring::create_plain(&world.path(), world.cluster.clone(), world.member).unwrap();
    let refused = SealedKeystore::open(&world.path(), &world.cluster, world.member).err().unwrap();
    assert!(matches!(refused, KeystoreError::EncryptionIsOff { .. }), "{refused}");
}

#[tokio::test]
async fn a_keystore_of_a_later_version_is_refused_clearly() {
    let world = World::new();
    world.create().await;
    let text = std::fs::read_to_string(world.path()).unwrap();
    for later in ["3", "4000000000", "18446744073709551615"] {
        let changed = text.replace("{\"format\":2,", &format!("{{\"format\":{later},\"new\":[],"));
        std::fs::write(world.path(), changed).unwrap();
        let refused = SealedKeystore::open(&world.path(), &world.cluster, world.member).err().unwrap();
        let refused = refused.to_string();
        assert!(refused.contains(&format!("has format {later}")), "{refused}");
        assert!(refused.contains("keystore.json") && refused.contains("later one"), "{refused}");
    }
}
