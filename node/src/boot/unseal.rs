//! Steps 8 to 10: the keystore is read and vouched for, the customer's key is proven, the master key unwrapped or made.
//!
//! Invariants:
//! - Nothing of the keystore is unwrapped before its key was found to be the configured one.
//! - No file of keys is made before the service was proven to wrap and unwrap.
//! - A sealed member never exits by itself: it asks again, however long, with pauses that grow up to a limit.
//! - A home Region that denied is the only one that is asked from then on, until it gives access again: neither another
//!   Region nor a network that is cut after the denial outwits it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::health::Verdict;
use coffer_keyring::kms::{KeyArn, Kms, KmsErrorClass, Region};
use coffer_keyring::{ClusterId, Keyring, KeystoreParams, MemberId, SealedKeystore, UnsealError};
use tokio::time::Instant;

use super::BootError;
use crate::config::Config;
use crate::member::{Member, MemberState};
use crate::verdict_name::verdict_name;

/// What unsealing needs.
pub(crate) struct Unseal {
    pub(crate) member: Arc<Member>,
    pub(crate) kms: Arc<dyn Kms>,
    pub(crate) cmk: KeyArn,
    /// Home first.
    pub(crate) regions: Vec<Region>,
    pub(crate) keystore: PathBuf,
    pub(crate) retry_min: Duration,
    pub(crate) retry_max: Duration,
}

/// A member whose keys are in memory.
pub(crate) struct Unsealed {
    pub(crate) keyring: Keyring,
    /// The Region that gave the key back.
    pub(crate) region: Region,
    /// When it was asked: from then on the key is watched.
    pub(crate) asked: Instant,
}

impl Unseal {
    /// As the configuration has it.
    pub(crate) fn new(member: Arc<Member>, config: &Config) -> Result<Self, BootError> {
        let (kms, cmk) = (member.key().kms(), member.key().cmk());
        let cmk = cmk.ok_or(BootError::NoKey("no key is configured"))?;
        Ok(Self {
            member,
            kms,
            cmk,
            regions: config.encryption.region_list(),
            keystore: config.storage.keystore(),
            retry_min: config.health.retry_min.0,
            retry_max: config.health.retry_max.0,
        })
    }

    /// Asks until a Region gives the key back. `known`: the directory was this member's before, so there is a keystore.
    pub(crate) async fn until_unsealed(&self, known: bool) -> Result<Unsealed, BootError> {
        let (cluster, member) = self.ids();
        let sealed = SealedKeystore::open(&self.keystore, &cluster, member)?;
        match &sealed {
            Some(sealed) => sealed.vouch(std::slice::from_ref(&self.cmk))?,
            // A new keystore would have new keys: everything in the directory would be lost without a word.
            None if known => return Err(BootError::KeystoreGone { path: self.keystore.clone() }),
            None => {}
        }
        self.member.enter(MemberState::Sealed, "it asks for the customer's key");
        let mut pause = self.retry_min;
        let mut home_denied = false;
        loop {
            match self.round(sealed.as_ref(), home_denied).await? {
                Ok(unsealed) => return Ok(unsealed),
                Err(refusal) => {
                    // Access to home ends this loop; nothing else clears its denial.
                    home_denied |= refusal.verdict == Verdict::Denied;
                    self.report(&refusal, home_denied);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.retry_max);
        }
    }

    fn ids(&self) -> (ClusterId, MemberId) {
        let identity = self.member.identity();
        (identity.cluster_id.clone(), identity.member_id)
    }

    /// One round over the Regions, or over the home Region alone. The inner error is what home said; it keeps the member
    /// sealed, the outer one ends it.
    async fn round(
        &self,
        sealed: Option<&SealedKeystore>,
        home_only: bool,
    ) -> Result<Result<Unsealed, Refusal>, BootError> {
        let mut first: Option<Refusal> = None;
        for region in self.regions.iter().take(if home_only { 1 } else { usize::MAX }) {
            let asked = Instant::now();
            let answer = match sealed {
                Some(sealed) => sealed.unseal(self.kms.as_ref(), region).await,
                None => self.create(region).await,
            };
            let error = match answer {
                Ok(keyring) => {
                    self.accessible(region);
                    return Ok(Ok(Unsealed { keyring, region: region.clone(), asked }));
                }
                Err(UnsealError::Keystore(error)) => return Err(error.into()),
                Err(error) => error,
            };
            let refusal = Refusal::new(region, &error);
            tracing::warn!(%region, verdict = verdict_name(refusal.verdict), %error, "the key was not given");
            let next_region = refusal.verdict == Verdict::Unreachable || first.is_some();
            // What home says is what counts: a replica that was never made says nothing of the key.
            first.get_or_insert(refusal);
            if !next_region {
                break;
            }
        }
        first.map(Err).ok_or(BootError::NoKey("no Region is configured"))
    }

    async fn create(&self, region: &Region) -> Result<Keyring, UnsealError> {
        let (cluster, member) = self.ids();
        let params = KeystoreParams { cluster, member, cmk: self.cmk.clone(), region: region.clone() };
        Keyring::create(&self.keystore, params, self.kms.as_ref()).await
    }

    fn accessible(&self, region: &Region) {
        self.member.set_kms_status(|status| {
            status.region = region.to_string();
            status.verdict = verdict_name(Verdict::Accessible);
            status.last_error_code.clear();
            status.last_probe = Some(Instant::now().into_std());
            status.denied_in_a_row = 0;
        });
    }

    fn report(&self, refusal: &Refusal, home_denied: bool) {
        self.member.set_kms_status(|status| {
            status.region = refusal.region.to_string();
            status.verdict = verdict_name(refusal.verdict);
            status.last_error_code.clone_from(&refusal.code);
            status.last_probe = Some(Instant::now().into_std());
            if refusal.verdict == Verdict::Denied {
                status.denied_in_a_row = status.denied_in_a_row.saturating_add(1);
            }
        });
        let mut reason = refusal.reason.clone();
        if home_denied && refusal.verdict != Verdict::Denied {
            reason = format!(
                "access to the customer's key was denied in {}, and only access there clears that; now {reason}",
                refusal.region
            );
        }
        self.member.enter(MemberState::Sealed, reason);
    }
}

/// Why a Region did not give the key.
struct Refusal {
    region: Region,
    verdict: Verdict,
    code: String,
    reason: String,
}

impl Refusal {
    fn new(region: &Region, error: &UnsealError) -> Self {
        let verdict = Verdict::from(error.class().unwrap_or(KmsErrorClass::Misconfigured));
        let said = match verdict {
            Verdict::Denied => "access to the customer's key is denied; it serves again when access is back",
            Verdict::Unreachable => {
                "the service that holds the customer's key does not answer; it asks again"
            }
            Verdict::NoVerdict => "the service that holds the customer's key is busy; it asks again",
            Verdict::Misconfigured | Verdict::Accessible => {
                "the customer's key cannot be used as it is configured; a person must look"
            }
        };
        let code = match error {
            UnsealError::Kms(error) => error.code.clone(),
            UnsealError::Region(_) => "SingleRegionKey".to_owned(),
            UnsealError::NotProven(_) => "NotProven".to_owned(),
            UnsealError::Keystore(_) | UnsealError::NotVouched => String::new(),
        };
        Self { region: region.clone(), verdict, code, reason: format!("{said} ({error})") }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use coffer_keyring::kms::local::{LocalKms, LocalKmsAdmin};
    use coffer_keyring::kms::{EncryptionContext, KeyDescription, KmsError, Unwrapped, Wrapped};
    use tokio::time::timeout;

    use super::*;
    use crate::config::LimitsSection;
    use crate::key::KeyAccess;
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
        _dir: tempfile::TempDir,
        admin: LocalKmsAdmin,
        kms: Arc<Counted>,
        unseal: Arc<Unseal>,
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
            let identity = MemberIdentity {
                cluster_id: ClusterId::generate(),
                member_id: MemberId(1),
                address: "127.0.0.1:27101".to_owned(),
            };
            let limits = Limits::from(&LimitsSection::default());
            let unseal = Unseal {
                member: Member::new(identity, limits, KeyAccess::off()),
                kms: kms.clone(),
                cmk,
                regions: vec![home, away],
                keystore: dir.path().join("keystore.json"),
                retry_min: Duration::from_millis(5),
                retry_max: Duration::from_millis(5),
            };
            timeout(PATIENCE, unseal.until_unsealed(false)).await.unwrap().unwrap();
            Self { _dir: dir, admin, kms, unseal: Arc::new(unseal) }
        }

        fn home(&self) -> &Region {
            &self.unseal.regions[0]
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
        assert_eq!(unsealed.region, scene.kms.away);
    }

    #[tokio::test]
    async fn an_outage_after_a_denial_at_home_does_not() {
        let scene = Scene::new().await;
        scene.admin.disable(&scene.unseal.cmk).unwrap();
        let asking = {
            let unseal = scene.unseal.clone();
            tokio::spawn(async move { unseal.until_unsealed(true).await })
        };
        let member = &scene.unseal.member;
        scene.reached("the denial is known", || member.kms_status().denied_in_a_row > 0).await;
        scene.admin.outage(scene.home()).unwrap();
        scene
            .reached("the outage is known", || {
                member.kms_status().verdict == verdict_name(Verdict::Unreachable)
            })
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
        scene.admin.enable(&scene.unseal.cmk).unwrap();
        let unsealed = timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
        assert_eq!(&unsealed.region, scene.home());
        assert_eq!(scene.kms.asked_away.load(Ordering::SeqCst), 0);
    }
}
