//! The local KMS answers as AWS does.

use coffer_keyring::kms::local::{LocalFault, LocalKms, LocalKmsAdmin, LocalKmsError};
use coffer_keyring::kms::{EncryptionContext, KeyArn, KeyState, Kms, KmsError, KmsErrorClass, Region};

use crate::world::World;

fn context() -> EncryptionContext {
    EncryptionContext::default().with("a", "1").with("b", "2")
}

fn refused<T: std::fmt::Debug>(answer: Result<T, KmsError>, code: &str, class: KmsErrorClass) {
    let error = answer.expect_err(code);
    assert_eq!((error.code.as_str(), error.class), (code, class), "{error}");
}

#[tokio::test]
async fn encryption_goes_round_in_every_region() {
    let world = World::new();
    let there = world.cmk.in_region(&world.away).unwrap();
    let wrapped = world.kms.encrypt(&world.home, &world.cmk, b"secret", &context()).await.unwrap();
    assert_eq!(wrapped.key_id, world.cmk.to_string());
    assert!(!wrapped.ciphertext.windows(6).any(|window| window == b"secret"));
    for (region, arn) in [(&world.home, &world.cmk), (&world.away, &there)] {
        let back = world.kms.decrypt(region, arn, &wrapped.ciphertext, &context()).await.unwrap();
        assert_eq!(back.plaintext.as_slice(), b"secret");
        assert_eq!(back.key_material_id, wrapped.key_material_id);
        assert!(!format!("{back:?}").contains("secret"));
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_awss_codes() {
    use KmsErrorClass::{Denied, Misconfigured, Unreachable};
    let world = World::new();
    let World { kms, home, away, cmk, .. } = &world;
    let blob = kms.encrypt(home, cmk, b"secret", &context()).await.unwrap().ciphertext;
    let decrypt = |arn: &KeyArn, blob: &[u8], context: EncryptionContext| {
        let (arn, blob) = (arn.clone(), blob.to_vec());
        async move { kms.decrypt(home, &arn, &blob, &context).await }
    };
    for wrong in [
        EncryptionContext::default(),
        context().with("c", "3"),
        context().with("b", "3"),
        EncryptionContext::default().with("a", "1b2"),
    ] {
        refused(decrypt(cmk, &blob, wrong).await, "InvalidCiphertextException", Misconfigured);
    }
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        let error = decrypt(cmk, &changed, context()).await.expect_err("changed");
        assert_eq!(error.class, Misconfigured, "byte {at}: {error}");
    }
    refused(decrypt(cmk, &blob[..9], context()).await, "InvalidCiphertextException", Misconfigured);
    let other = world.admin.create(home, true).unwrap();
    refused(decrypt(&other, &blob, context()).await, "IncorrectKeyException", Misconfigured);
    let single = world.admin.create(home, false).unwrap();
    refused(kms.describe(away, &single).await, "NotFoundException", Denied);
    let unknown = Region::parse("us-east-1").unwrap();
    let nowhere = cmk.in_region(&unknown).unwrap();
    refused(kms.describe(&unknown, &nowhere).await, "NotFoundException", Denied);
    let empty = kms.encrypt(home, cmk, b"", &context()).await;
    refused(empty, "ValidationException", Unreachable);
    let long = kms.encrypt(home, cmk, &[0; 4097], &context()).await;
    refused(long, "ValidationException", Unreachable);
}

#[tokio::test]
async fn state_is_per_region_and_seen_at_once() {
    use KmsErrorClass::Denied;
    let world = World::new();
    let World { kms, admin, home, away, cmk, .. } = &world;
    let there = cmk.in_region(away).unwrap();
    let none = EncryptionContext::default();
    let encrypt_here = || kms.encrypt(home, cmk, b"x", &none);

    admin.disable(cmk).unwrap();
    refused(encrypt_here().await, "DisabledException", Denied);
    assert_eq!(kms.describe(home, cmk).await.unwrap().state, KeyState::Disabled);
    kms.encrypt(away, &there, b"x", &context()).await.expect("the replica has its own state");
    admin.enable(cmk).unwrap();
    encrypt_here().await.unwrap();

    let date = admin.schedule_deletion(cmk, 7).unwrap();
    assert!(date.unix() > coffer_keyring::Timestamp::now().unix() + 6 * 86_400);
    refused(encrypt_here().await, "KMSInvalidStateException", Denied);
    assert_eq!(kms.describe(home, cmk).await.unwrap().state, KeyState::PendingDeletion);
    assert!(matches!(admin.enable(cmk), Err(LocalKmsError::State { .. })));
    assert!(matches!(admin.schedule_deletion(cmk, 7), Err(LocalKmsError::State { .. })));
    admin.cancel_deletion(cmk).unwrap();
    refused(encrypt_here().await, "DisabledException", Denied);
    admin.enable(cmk).unwrap();
    encrypt_here().await.unwrap();
    assert!(matches!(admin.cancel_deletion(cmk), Err(LocalKmsError::State { .. })));
    assert!(matches!(admin.schedule_deletion(cmk, 6), Err(LocalKmsError::Days(6))));
}

#[tokio::test]
async fn a_region_goes_out_and_comes_back() {
    use KmsErrorClass::Unreachable;
    let world = World::new();
    world.admin.outage(&world.home).unwrap();
    assert_eq!(world.admin.outages().unwrap(), std::slice::from_ref(&world.home));
    refused(world.kms.describe(&world.home, &world.cmk).await, "DispatchFailure", Unreachable);
    let there = world.cmk.in_region(&world.away).unwrap();
    let description = world.kms.describe(&world.away, &there).await.unwrap();
    let replicas = description.multi_region.unwrap();
    assert_eq!((replicas.primary, replicas.replicas), (world.home.clone(), vec![world.away.clone()]));
    assert_eq!(description.arn, there);
    world.admin.restore(&world.home).unwrap();
    world.kms.describe(&world.home, &world.cmk).await.unwrap();
}

#[tokio::test]
async fn material_rotates_and_older_ciphertexts_open() {
    let world = World::new();
    let World { kms, home, cmk, .. } = &world;
    let old = kms.encrypt(home, cmk, b"x", &context()).await.unwrap();
    world.admin.rotate(cmk).unwrap();
    let current = kms.describe(home, cmk).await.unwrap().current_key_material_id;
    let back = kms.decrypt(home, cmk, &old.ciphertext, &context()).await.unwrap();
    assert!(current.is_some() && back.key_material_id.is_some());
    assert_ne!(current, back.key_material_id);
    let new = kms.encrypt(home, cmk, b"x", &context()).await.unwrap();
    assert_eq!(new.key_material_id, current);
}

#[test]
fn the_administrator_is_told_what_is_wrong() {
    let world = World::new();
    let World { admin, home, away, cmk, .. } = &world;
    let single = admin.create(home, false).unwrap();
    assert!(!single.is_multi_region());
    assert!(matches!(admin.replicate(&single, away), Err(LocalKmsError::SingleRegion(_))));
    assert!(matches!(admin.replicate(cmk, away), Err(LocalKmsError::ReplicaExists(_))));
    let elsewhere = cmk.in_region(&Region::parse("us-east-1").unwrap()).unwrap();
    assert!(matches!(admin.disable(&elsewhere), Err(LocalKmsError::NoKey(_))));

    let list = admin.list().unwrap();
    assert_eq!(list.len(), 3);
    let primary = list.iter().find(|key| key.arn == *cmk).unwrap();
    assert!(primary.primary && primary.multi_region && !primary.region_out);
    let replica = list.iter().find(|key| key.arn.region() == away).unwrap();
    assert!(!replica.primary && replica.state == KeyState::Enabled);
}

#[test]
fn an_empty_directory_is_no_kms() {
    let dir = tempfile::tempdir().unwrap();
    let missing = LocalKms::open(dir.path()).unwrap_err();
    assert!(missing.to_string().contains("coffer dev-kms"), "{missing}");
    std::fs::write(dir.path().join("kms.json"), "{\"format\":1,\"keys\":\"topsecret\"}").unwrap();
    let damaged = LocalKms::open(dir.path()).unwrap_err().to_string();
    assert!(damaged.contains("kms.json") && !damaged.contains("topsecret"), "{damaged}");
}

#[tokio::test]
async fn a_directory_that_vanished_is_an_outage() {
    let world = World::new();
    std::fs::remove_dir_all(world.dir.path().join("kms")).unwrap();
    let answer = world.kms.describe(&world.home, &world.cmk).await;
    refused(answer, "DispatchFailure", KmsErrorClass::Unreachable);
}

#[test]
fn the_directory_is_private_and_writers_take_turns() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kms");
    let region = Region::parse("eu-central-1").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    LocalKmsAdmin::new(&path).create(&region, true).unwrap();
                }
            });
        }
    });
    assert_eq!(LocalKmsAdmin::new(&path).list().unwrap().len(), 20);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("kms.json"))), (0o700, 0o600));
}

#[tokio::test(start_paused = true)]
async fn a_region_fails_as_it_is_told_to() {
    let world = World::new();
    let encrypt =
        async || world.kms.encrypt(&world.home, &world.cmk, b"x", &EncryptionContext::default()).await;
    for (fault, code, class, seconds) in [
        (LocalFault::Outage, "DispatchFailure", KmsErrorClass::Unreachable, 0),
        (LocalFault::BlackHole, "TimeoutError", KmsErrorClass::Unreachable, 3),
        (LocalFault::Throttled, "ThrottlingException", KmsErrorClass::NoVerdict, 0),
        (LocalFault::Error, "KMSInternalException", KmsErrorClass::Unreachable, 0),
        (LocalFault::Denied, "AccessDeniedException", KmsErrorClass::Denied, 0),
    ] {
        world.admin.set_fault(&world.home, Some(fault)).unwrap();
        assert_eq!(world.admin.faults().unwrap(), [(world.home.clone(), fault)].into());
        let started = tokio::time::Instant::now();
        refused(encrypt().await, code, class);
        assert_eq!(started.elapsed().as_secs(), seconds, "{fault:?}");
        refused(world.kms.describe(&world.home, &world.cmk).await, code, class);
        let away = world.cmk.in_region(&world.away).unwrap();
        world.kms.describe(&world.away, &away).await.expect("the other Region is not concerned");
        assert_eq!(world.admin.list().unwrap()[0].region_fault, Some(fault));
    }
    world.admin.set_fault(&world.home, Some(LocalFault::Slow(2500))).unwrap();
    let started = tokio::time::Instant::now();
    encrypt().await.unwrap();
    assert_eq!(started.elapsed().as_millis() / 100, 25);
    // What its owner does while a call is on its way counts.
    let (answer, ()) = tokio::join!(encrypt(), async { world.admin.disable(&world.cmk).unwrap() });
    refused(answer, "DisabledException", KmsErrorClass::Denied);

    world.admin.restore(&world.home).unwrap();
    world.admin.enable(&world.cmk).unwrap();
    assert!(world.admin.faults().unwrap().is_empty());
    encrypt().await.unwrap();
}
