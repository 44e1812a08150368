//! Unsealing against the local KMS: outages, denials, choices and vouching.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use coffer_keyring::kms::local::{LocalKms, LocalKmsAdmin};
use coffer_keyring::kms::{KeyArn, KeyDescription, Kms, Unwrapped, Wrapped};
use coffer_proto::v1::KmsOverrideRequest;
use tokio::time::timeout;

use super::*;
use crate::config::{EncryptionSection, LimitsSection};
use crate::key::{KeyAccess, kms_override};
use crate::member::{Limits, MemberIdentity};

const PATIENCE: Duration = Duration::from_secs(30);

/// A local KMS that counts what each Region is asked.
struct Counted {
    inner: LocalKms,
    away: Region,
    at_home: AtomicU32,
    asked_away: AtomicU32,
}

impl Counted {
    fn count(&self, region: &Region) {
        let counter = if *region == self.away { &self.asked_away } else { &self.at_home };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

#[tonic::async_trait]
impl Kms for Counted {
    async fn encrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        self.count(region);
        self.inner.encrypt(region, key, plaintext, context).await
    }

    async fn decrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        self.count(region);
        self.inner.decrypt(region, key, ciphertext, context).await
    }

    async fn describe(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError> {
        self.inner.describe(region, key).await
    }
}

/// A member with a keystore, sealed under a key with a replica away.
struct Scene {
    dir: tempfile::TempDir,
    admin: LocalKmsAdmin,
    kms: Arc<Counted>,
    cmk: KeyArn,
    home: Region,
    unseal: Arc<Unseal>,
}

/// The unsealing of member 1 of a fixed cluster.
fn unseal(dir: &Path, kms: &Arc<Counted>, cmk: &KeyArn, regions: &[&Region]) -> Arc<Unseal> {
    let encryption = EncryptionSection {
        cmk_arn: cmk.to_string(),
        regions: regions.iter().map(ToString::to_string).collect(),
        ..EncryptionSection::default()
    };
    let key = KeyAccess::with(&encryption, MemberId(1), kms.clone());
    key.open_files(dir, KeyStoreRule::Refuse);
    let identity = MemberIdentity {
        cluster_id: ClusterId::parse("6b1f0c7e-5d3a-4c7e-9a55-0d5f3b7a2c11").unwrap(),
        member_id: MemberId(1),
        address: "127.0.0.1:27101".to_owned(),
    };
    let limits = Limits::from(&LimitsSection::default());
    let pause = Duration::from_millis(5);
    Arc::new(Unseal {
        member: Member::new(identity, limits, key),
        policy: Policy { retry_min: pause, retry_max: pause, ..Policy::default() },
        keystore: dir.join("keystore.json"),
    })
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let admin = LocalKmsAdmin::new(&dir.path().join("kms"));
        let home = Region::parse("eu-central-1").unwrap();
        let away = Region::parse("eu-west-1").unwrap();
        let cmk = admin.create(&home, true).unwrap();
        admin.replicate(&cmk, &away).unwrap();
        let kms = Arc::new(Counted {
            inner: LocalKms::open(&dir.path().join("kms")).unwrap(),
            away: away.clone(),
            at_home: AtomicU32::new(0),
            asked_away: AtomicU32::new(0),
        });
        let unseal = unseal(dir.path(), &kms, &cmk, &[&home, &away]);
        timeout(PATIENCE, unseal.until_unsealed(false)).await.unwrap().unwrap();
        Self { dir, admin, kms, cmk, home, unseal }
    }

    /// The member after a restart.
    fn restarted(&self) -> Arc<Unseal> {
        self.with_regions(&[&self.home, &self.kms.away])
    }

    fn with_regions(&self, regions: &[&Region]) -> Arc<Unseal> {
        self.with(&self.cmk, regions)
    }

    /// The same, configured otherwise.
    fn with(&self, cmk: &KeyArn, regions: &[&Region]) -> Arc<Unseal> {
        unseal(self.dir.path(), &self.kms, cmk, regions)
    }

    fn home(&self) -> &Region {
        &self.home
    }

    /// Waits until home was asked `n` times more.
    async fn home_asked(&self, n: u32) {
        let before = self.kms.at_home.load(Ordering::SeqCst);
        self.reached("home is asked", || self.kms.at_home.load(Ordering::SeqCst) >= before + n).await;
    }

    async fn reached(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[tokio::test]
async fn an_outage_at_home_sends_to_another_region() {
    let scene = Scene::new().await;
    scene.admin.outage(scene.home()).unwrap();
    let unsealed = timeout(PATIENCE, scene.unseal.until_unsealed(true)).await.unwrap().unwrap();
    assert_eq!(unsealed.unsealing.region, scene.kms.away);
}

#[tokio::test]
async fn an_outage_after_a_denial_at_home_does_not() {
    let scene = Scene::new().await;
    scene.admin.disable(&scene.cmk).unwrap();
    let asking = {
        let unseal = scene.unseal.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    let member = &scene.unseal.member;
    scene.reached("the denial is known", || member.kms_status().denied_in_a_row > 0).await;
    scene.admin.outage(scene.home()).unwrap();
    scene
        .reached("the outage is known", || member.kms_status().verdict == verdict_name(Verdict::Unreachable))
        .await;
    scene.home_asked(5).await;
    assert!(!asking.is_finished(), "it stays sealed");
    assert_eq!(scene.kms.asked_away.load(Ordering::SeqCst), 0, "no other Region was asked");
    assert!(member.condition().reason.contains("was denied in eu-central-1"), "{:?}", member.condition());
    assert!(member.kms_status().denied_in_a_row > 0, "the denial is not forgotten");
    // Access there ends it, and nothing else.
    scene.admin.restore(scene.home()).unwrap();
    scene.home_asked(3).await;
    assert!(!asking.is_finished(), "it is still denied");
    scene.admin.enable(&scene.cmk).unwrap();
    let unsealed = timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    assert_eq!(&unsealed.unsealing.region, scene.home());
    assert_eq!(scene.kms.asked_away.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_restart_does_not_forget_that_home_had_denied() {
    let scene = Scene::new().await;
    scene.admin.disable(&scene.cmk).unwrap();
    let asking = {
        let unseal = scene.unseal.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    let marker = scene.dir.path().join("denied.json");
    scene.reached("the denial is written down", || marker.exists()).await;
    asking.abort();
    scene.admin.outage(scene.home()).unwrap();
    let restarted = scene.restarted();
    let asking = {
        let unseal = restarted.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    scene.home_asked(5).await;
    assert!(!asking.is_finished());
    assert_eq!(scene.kms.asked_away.load(Ordering::SeqCst), 0, "no other Region was asked");
    assert!(restarted.member.key().denial_pending());
    // Not even where an operator asks for it.
    let away = Some(&scene.kms.away);
    assert_eq!(restarted.member.key().may_change(away).unwrap_err().help(), "CK0034");
    scene.admin.restore(scene.home()).unwrap();
    scene.admin.enable(&scene.cmk).unwrap();
    timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    assert!(!marker.exists());
}

#[tokio::test]
async fn a_remembered_denial_is_in_force_before_anybody_is_asked() {
    let scene = Scene::new().await;
    scene.admin.disable(&scene.cmk).unwrap();
    let asking = {
        let unseal = scene.unseal.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    let marker = scene.dir.path().join("denied.json");
    scene.reached("the denial is written down", || marker.exists()).await;
    asking.abort();
    // One that waits for somebody to vouch for its keystore asks no Region.
    let other = scene.admin.create(scene.home(), true).unwrap();
    let restarted = scene.with(&other, &[scene.home()]);
    let asking = {
        let unseal = restarted.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    let member = &restarted.member;
    scene.reached("it waits", || member.condition().reason.contains("CK0025")).await;
    assert!(member.key().denial_pending());
    asking.abort();
}

#[tokio::test]
async fn a_home_that_was_silent_for_too_long_is_not_gone_round_at_a_start() {
    let scene = Scene::new().await;
    scene.admin.outage(scene.home()).unwrap();
    let restarted = scene.restarted();
    let limit = Duration::from_secs(900);
    let limited = Arc::new(Unseal {
        member: restarted.member.clone(),
        policy: Policy { max_unreachable: Some(limit), ..restarted.policy },
        keystore: restarted.keystore.clone(),
    });
    limited.member.key().remember_silence(Some(limit));
    let asking = {
        let unseal = limited.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    scene.home_asked(3).await;
    assert!(!asking.is_finished());
    assert_eq!(scene.kms.asked_away.load(Ordering::SeqCst), 0, "no other Region was asked");
    scene.admin.restore(scene.home()).unwrap();
    let unsealed = timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    assert_eq!(&unsealed.unsealing.region, scene.home());
}

#[tokio::test]
async fn an_operators_choice_is_tried_at_once_and_survives_a_restart() {
    let scene = Scene::new().await;
    // Only home is configured, and it is out.
    let single = scene.with_regions(&[scene.home()]);
    scene.admin.outage(scene.home()).unwrap();
    let asking = {
        let unseal = single.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    scene.home_asked(3).await;
    let request =
        |region: &str| KmsOverrideRequest { region: region.to_owned(), ..KmsOverrideRequest::default() };
    let refused = kms_override(&single.member, request("us-east-1")).await.unwrap();
    assert_eq!(refused.findings[0].help_code, "CK0024", "{refused:?}");
    assert!(refused.r#override.is_none());
    let accepted = kms_override(&single.member, request("eu-west-1")).await.unwrap();
    assert_eq!(accepted.findings, []);
    let unsealed = timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    assert_eq!(unsealed.unsealing.region, scene.kms.away);
    let restarted = scene.with_regions(&[scene.home()]);
    assert_eq!(restarted.member.key().choice().unwrap().region, scene.kms.away);
    timeout(PATIENCE, restarted.until_unsealed(true)).await.unwrap().unwrap();
    // It ends with the next settings that say something of Regions.
    let key = restarted.member.key();
    let policy = SettingsRecord { version: 1, ..SettingsRecord::clone(&key.settings()) };
    key.adopt(policy).unwrap();
    assert_eq!(key.choice().unwrap().settings_version, 1);
    let reread = scene.with_regions(&[scene.home()]);
    assert_eq!(reread.member.key().choice(), key.choice());
    let regions = vec![scene.home().to_string(), scene.kms.away.to_string()];
    key.adopt(SettingsRecord { version: 2, regions, ..SettingsRecord::clone(&key.settings()) }).unwrap();
    assert_eq!(key.choice(), None);
    assert!(!scene.dir.path().join("override.json").exists());
}

#[tokio::test]
async fn a_keystore_under_another_key_waits_for_somebody_to_vouch() {
    let scene = Scene::new().await;
    let other = scene.admin.create(scene.home(), true).unwrap();
    let strange = scene.with(&other, &[scene.home()]);
    let asking = {
        let unseal = strange.clone();
        tokio::spawn(async move { unseal.until_unsealed(true).await })
    };
    let member = &strange.member;
    scene.reached("it says so", || member.condition().reason.contains("CK0025")).await;
    let before = scene.kms.at_home.load(Ordering::SeqCst);
    let wrong = KmsOverrideRequest { trust_cmk_arn: other.to_string(), ..KmsOverrideRequest::default() };
    kms_override(member, wrong).await.unwrap();
    tokio::task::yield_now().await;
    assert!(!asking.is_finished());
    assert_eq!(scene.kms.at_home.load(Ordering::SeqCst), before, "nothing was unwrapped");
    let right = KmsOverrideRequest { trust_cmk_arn: scene.cmk.to_string(), ..KmsOverrideRequest::default() };
    kms_override(member, right).await.unwrap();
    timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
}
