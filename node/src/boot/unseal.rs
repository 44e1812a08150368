//! Steps 8 and 9: the keystore is read and vouched for, the customer's key is proven, the master key unwrapped or made: the
//! shell around [`coffer_keyring::verdict::Rounds`], which decides whom to ask.
//!
//! Invariants:
//! - Nothing of the keystore is unwrapped before its key was vouched for.
//! - No file of keys is made before the service was proven to wrap and unwrap.
//! - A sealed member never exits by itself: it asks again, however long, with pauses that grow up to a limit.
//! - A home Region that denied is the only one that is asked from then on, until it gives access again: neither another
//!   Region nor a network that is cut after the denial outwits it, nor a restart in between.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use coffer_keyring::health::{ProbeOutcome, Verdict, probe};
use coffer_keyring::kms::{EncryptionContext, KmsError, KmsErrorClass, Region, help_codes};
use coffer_keyring::verdict::{KeyStoreRule, Observation, Policy, Rounds, Step, WatchedKey, sealed_help};
use coffer_keyring::{
    ClusterId, KeyVersion, Keyring, KeystoreParams, MemberId, SealedKeystore, UnsealError, WrapInfo,
};
use coffer_proto::internal::v1::SettingsRecord;
use prost::Message;
use tokio::time::{Instant, sleep_until, timeout};

use super::BootError;
use super::vouch::Vouch;
use crate::key::{KeyEvent, Teller, Unsealing, show_alerts, show_sealed};
use crate::member::{Member, MemberState};
use crate::verdict_name::verdict_name;

/// How long unwrapping may take beyond what the provider allows for one call: it is one call, and some work on keys.
const UNWRAP_LIMIT: Duration = Duration::from_secs(10);

/// What unsealing needs.
pub(crate) struct Unseal {
    pub(crate) member: Arc<Member>,
    pub(crate) policy: Policy,
    pub(crate) keystore: PathBuf,
}

/// A member whose keys are in memory.
pub(crate) struct Unsealed {
    pub(crate) keyring: Keyring,
    /// Where and when the service gave them back: from then on the key is watched.
    pub(crate) unsealing: Unsealing,
}

/// What an attempt found: the keys, or why there are none.
type Attempt = (Observation, Result<Keyring, String>);

impl Unseal {
    /// Asks until a Region gives the key back. `known`: the directory was this member's before, so there is a keystore.
    pub(crate) async fn until_unsealed(&self, known: bool) -> Result<Unsealed, BootError> {
        let (cluster, member) = self.ids();
        let sealed = SealedKeystore::open(&self.keystore, &cluster, member)?;
        let key = self.member.key();
        match &sealed {
            Some(sealed) => {
                // Believed for asking; the MAC vouches for them once the keystore is unsealed.
                adopt_cached(&self.member, sealed.settings());
                key.rewrapped(sealed.wrap_info());
                // In force from now on: peers and operators may ask for a change before home has answered once.
                key.remember_denials(&key.remembered_denials());
            }
            // A new keystore would have new keys: everything in the directory would be lost without a word.
            None if known => return Err(BootError::KeystoreGone { path: self.keystore.clone() }),
            None => {}
        }
        self.member.enter(MemberState::Sealed, "it asks for the customer's key");
        if let Some(sealed) = &sealed {
            Vouch {
                member: &self.member,
                pause_min: self.policy.retry_min,
                pause_max: self.policy.retry_max,
            }
            .until_vouched(sealed)
            .await;
        }
        let watched = key.watched().ok_or(BootError::NoKey("no key is configured"))?;
        let choice = key.choice().map(|choice| choice.region);
        let mut denied = key.remembered_denials();
        // As for a member that runs: home was silent for as long as its owner allows.
        if self.policy.max_unreachable.is_some_and(|limit| key.remembered_silence() >= limit) {
            denied.insert(watched.home().clone());
        }
        let rounds = Rounds::new(self.policy, watched, denied, choice);
        self.ask(rounds, sealed.as_ref()).await
    }

    async fn ask(&self, mut rounds: Rounds, sealed: Option<&SealedKeystore>) -> Result<Unsealed, BootError> {
        let key = self.member.key();
        let origin = Instant::now();
        let mut changes = key.changes();
        let mut teller = Teller::new(self.member.clone(), self.policy.interval);
        loop {
            match rounds.step(origin.elapsed()) {
                Step::Ask(region) => {
                    let asked = Instant::now();
                    let (seen, keyring) = self.attempt(sealed, rounds.key(), &region, asked - origin).await?;
                    let accessible = seen.verdict == Verdict::Accessible;
                    if region == *rounds.key().home() && !seen.cut && seen.verdict != Verdict::NoVerdict {
                        key.remember_silence(None);
                    }
                    rounds.answered(origin.elapsed(), seen);
                    key.remember_denials(rounds.denied());
                    show_sealed(&self.member, &rounds, origin);
                    show_alerts(&self.member, &rounds.alerts());
                    let keyring = match keyring {
                        Ok(keyring) if accessible => keyring,
                        Ok(_) => continue,
                        Err(reason) => {
                            self.report(&rounds, &region, &reason);
                            teller.tell(rounds.tell().as_slice());
                            continue;
                        }
                    };
                    key.use_region(&region);
                    key.event(&KeyEvent::Unsealed { region: region.clone() });
                    return Ok(Unsealed { keyring, unsealing: Unsealing { region, asked } });
                }
                Step::Wait(until) => tokio::select! {
                    () = sleep_until(origin + until) => {}
                    told = key.inbox().next() => {
                        rounds.told(&told.region);
                        key.remember_denials(rounds.denied());
                    }
                    // The sender lives as long as the key that is held here.
                    Ok(()) = changes.changed() => {
                        if let Some(watched) = key.watched() {
                            let choice = key.choice().map(|choice| choice.region);
                            rounds.begin_again(origin.elapsed(), watched, choice);
                        }
                    }
                },
            }
        }
    }

    fn ids(&self) -> (ClusterId, MemberId) {
        let identity = self.member.identity();
        (identity.cluster_id.clone(), identity.member_id)
    }

    /// Asks one Region: a probe first, as a running member makes it, so that nobody starts who would stop in a moment. The
    /// outer error ends the member.
    async fn attempt(
        &self,
        sealed: Option<&SealedKeystore>,
        watched: &WatchedKey,
        region: &Region,
        asked: Duration,
    ) -> Result<Attempt, BootError> {
        let kms = self.member.key().kms();
        let outcome = probe(kms.as_ref(), &self.wrap(sealed, watched, region), region).await;
        if let Some(replicas) = &outcome.multi_region {
            self.member.key().found_replicas(replicas);
        }
        if self.policy.key_store == KeyStoreRule::Refuse && outcome.custom_key_store == Some(true) {
            let seen = Observation {
                code: "CustomKeyStore".to_owned(),
                help: help_codes::CUSTOM_KEY_STORE,
                ..Observation::bare(region, Verdict::Misconfigured, asked)
            };
            let reason = "the key lives in a custom or external key store: say in health.key_store_unavailable what it \
                          means when that does not answer";
            return Ok((seen, Err(reason.to_owned())));
        }
        let seen = Observation::new(&outcome, self.policy.key_store, asked);
        if seen.verdict != Verdict::Accessible {
            return Ok((seen, Err(said(&outcome))));
        }
        let answer = timeout(UNWRAP_LIMIT, async {
            match sealed {
                Some(sealed) => sealed.unseal(kms.as_ref(), region).await,
                None => self.create(watched, region).await,
            }
        });
        let error = match answer.await {
            Ok(Ok(keyring)) => return Ok((seen, Ok(keyring))),
            Ok(Err(UnsealError::Keystore(error))) => return Err(error.into()),
            Ok(Err(error)) => error,
            Err(_) => KmsError::from_code("TimeoutError", "unwrapping took too long").into(),
        };
        let text = error.to_string();
        let outcome = outcome_of(region, error);
        Ok((Observation::new(&outcome, self.policy.key_store, asked), Err(text)))
    }

    /// What wraps the master key, or will.
    fn wrap(&self, sealed: Option<&SealedKeystore>, watched: &WatchedKey, region: &Region) -> WrapInfo {
        sealed.map(SealedKeystore::wrap_info).unwrap_or_else(|| {
            let (cluster, member) = self.ids();
            WrapInfo {
                version: KeyVersion::FIRST,
                cmk: watched.cmk.clone(),
                region: region.clone(),
                context: EncryptionContext::node_master_key(&cluster, member),
                key_material_id: None,
            }
        })
    }

    async fn create(&self, watched: &WatchedKey, region: &Region) -> Result<Keyring, UnsealError> {
        let (cluster, member) = self.ids();
        let params = KeystoreParams { cluster, member, cmk: watched.cmk.clone(), region: region.clone() };
        let keyring = Keyring::create(&self.keystore, params, self.member.key().kms().as_ref()).await?;
        if let Some(wrap) = keyring.wrap_info() {
            self.member.key().rewrapped(wrap);
        }
        Ok(keyring)
    }

    /// Says why the member stays sealed: what home said is what counts.
    fn report(&self, rounds: &Rounds, region: &Region, reason: &str) {
        let Some(seen) = rounds.seen().get(region) else { return };
        tracing::warn!(%region, verdict = verdict_name(seen.verdict), help = seen.help, error = reason, "the key was not given");
        let home = rounds.key().home();
        let denied = rounds.denied().contains(home);
        if region != home {
            return;
        }
        let help = sealed_help(seen.help);
        let said = match seen.verdict {
            Verdict::Denied => "access to the customer's key is denied; it serves again when access is back",
            Verdict::Unreachable => {
                "the service that holds the customer's key does not answer; it asks again"
            }
            Verdict::NoVerdict => "the service that holds the customer's key is busy; it asks again",
            Verdict::Misconfigured | Verdict::Accessible => {
                "the customer's key cannot be used as it is configured; a person must look"
            }
        };
        let text = if denied && seen.verdict != Verdict::Denied {
            format!(
                "access to the customer's key was denied in {home}, and only access there clears that; now {said} \
                 ({reason}) [{help}]"
            )
        } else {
            format!("{said} ({reason}) [{help}]")
        };
        self.member.enter(MemberState::Sealed, text);
    }
}

/// Takes the replica set's settings as this member cached them last.
pub(super) fn adopt_cached(member: &Member, cached: Option<&[u8]>) {
    let Some(bytes) = cached else { return };
    match SettingsRecord::decode(bytes) {
        Ok(settings) => {
            if let Err(error) = member.key().adopt(settings) {
                tracing::error!(%error, "the settings that this member cached");
            }
        }
        Err(error) => {
            tracing::error!(%error, "the settings that this member cached cannot be read: those of its configuration are used");
        }
    }
}

/// Why a probe did not give access.
fn said(outcome: &ProbeOutcome) -> String {
    match (&outcome.error, &outcome.key_state) {
        (Some(error), _) => error.to_string(),
        (None, Some(state)) => format!("the key is {state:?}"),
        (None, None) => "no error was given".to_owned(),
    }
}

/// An unwrapping that failed, as a probe would have found it.
fn outcome_of(region: &Region, error: UnsealError) -> ProbeOutcome {
    let plain = |code: &str, text: String| KmsError {
        class: KmsErrorClass::Misconfigured,
        ..KmsError::from_code(code, text)
    };
    let error = match error {
        UnsealError::Kms(error) => error,
        UnsealError::Region(error) => plain("SingleRegionKey", error.to_string()),
        UnsealError::NotProven(_) => plain("InvalidCiphertextException", error.to_string()),
        UnsealError::Keystore(_) | UnsealError::NotVouched => plain("NotVouched", error.to_string()),
    };
    ProbeOutcome {
        verdict: Verdict::from(error.class),
        key_state: error.key_state.clone(),
        error: Some(error),
        ..ProbeOutcome::accessible(region)
    }
}

#[cfg(test)]
mod tests {
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
        let right =
            KmsOverrideRequest { trust_cmk_arn: scene.cmk.to_string(), ..KmsOverrideRequest::default() };
        kms_override(member, right).await.unwrap();
        timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    }
}
