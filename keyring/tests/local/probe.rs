//! What a probe says in each case.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use coffer_keyring::WrapInfo;
use coffer_keyring::health::{PROBE_LIMIT, Verdict, probe};
use coffer_keyring::kms::{
    EncryptionContext, KeyArn, KeyDescription, KeyState, Kms, KmsError, Region, Unwrapped, Wrapped,
};
use coffer_keyring::verdict::{Event, Machine, Observation, Policy, Stance, Stop, WatchedKey};

use crate::world::World;

#[tokio::test]
async fn a_probe_sees_what_the_owner_does() {
    let world = World::new();
    let keyring = world.create().await;
    let wrap = keyring.wrap_info().unwrap();
    assert_eq!(wrap, world.sealed().wrap_info());
    let ask = || probe(&world.kms, &wrap, &world.home);

    let fine = ask().await;
    assert_eq!((fine.verdict, fine.stale_wrap), (Verdict::Accessible, Some(false)), "{fine:?}");
    assert_eq!(fine.key_state, Some(KeyState::Enabled));

    world.admin.rotate(&world.cmk).unwrap();
    assert_eq!(ask().await.stale_wrap, Some(true));

    world.admin.disable(&world.cmk).unwrap();
    let disabled = ask().await;
    assert_eq!(disabled.verdict, Verdict::Denied);
    assert!(disabled.is_fact_of_key());
    assert_eq!(disabled.error.unwrap().code, "DisabledException");
    assert_eq!(probe(&world.kms, &wrap, &world.away).await.verdict, Verdict::Accessible);

    world.admin.schedule_deletion(&world.cmk, 7).unwrap();
    assert_eq!(ask().await.verdict, Verdict::Denied);
    world.admin.outage(&world.home).unwrap();
    assert_eq!(ask().await.verdict, Verdict::Unreachable);
    world.admin.restore(&world.home).unwrap();
    world.admin.cancel_deletion(&world.cmk).unwrap();
    world.admin.enable(&world.cmk).unwrap();
    assert_eq!(ask().await.verdict, Verdict::Accessible);
}

#[tokio::test]
async fn a_revocation_is_confirmed_and_an_outage_is_not_one() {
    let world = World::new();
    let wrap = world.create().await.wrap_info().unwrap();
    let (policy, start) = (Policy::default(), Duration::ZERO);
    let key = WatchedKey { cmk: wrap.cmk.clone(), regions: vec![world.home.clone()], settings_version: 0 };
    let mut machine = Machine::new(policy, key, world.home.clone(), start, None);
    let mut now = start;
    let mut round = async || {
        now += policy.interval;
        assert_eq!(machine.on(now, Event::Tick).probe, std::slice::from_ref(&world.home));
        let outcome = probe(&world.kms, &wrap, &world.home).await;
        let seen = Observation::new(&outcome, policy.key_store, now);
        machine.on(now, Event::Probed { seen, jitter: 0.0 }).stance
    };
    world.admin.outage(&world.home).unwrap();
    for _ in 0..10 {
        assert_eq!(round().await, Stance::Degraded);
    }
    world.admin.restore(&world.home).unwrap();
    assert_eq!(round().await, Stance::Serve);
    world.admin.disable(&world.cmk).unwrap();
    assert_eq!(round().await, Stance::Degraded);
    world.admin.outage(&world.home).unwrap();
    assert_eq!(round().await, Stance::Degraded);
    world.admin.restore(&world.home).unwrap();
    assert_eq!(round().await, Stance::Degraded);
    let stop = Stop::Denied { region: world.home.clone(), code: "DisabledException".to_owned() };
    assert_eq!(round().await, Stance::ShutDown(stop));
}

#[tokio::test]
async fn a_single_region_key_cannot_be_probed_elsewhere() {
    let mut world = World::new();
    world.cmk = world.admin.create(&world.home, false).unwrap();
    let wrap = world.create().await.wrap_info().unwrap();
    let outcome = probe(&world.kms, &wrap, &world.away).await;
    assert_eq!(outcome.verdict, Verdict::Misconfigured);
    assert!(outcome.error.unwrap().to_string().contains("single-Region"));
}

/// A service whose calls fail, hang or lie as told.
struct Scripted {
    inner: coffer_keyring::kms::local::LocalKms,
    refresh: Option<&'static str>,
    encrypt: Option<&'static str>,
    decrypt: Option<&'static str>,
    describe: Option<&'static str>,
    calls: AtomicUsize,
}

impl Scripted {
    async fn fail(&self, code: Option<&'static str>) -> Result<(), KmsError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match code {
            Some("hang") => std::future::pending().await,
            Some(code) => Err(KmsError::from_code(code, "as told")),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Kms for Scripted {
    async fn encrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Wrapped, KmsError> {
        self.fail(self.encrypt).await?;
        self.inner.encrypt(region, key, plaintext, context).await
    }

    async fn decrypt(
        &self,
        region: &Region,
        key: &KeyArn,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Unwrapped, KmsError> {
        if self.decrypt == Some("lie") {
            let mut answer = self.inner.decrypt(region, key, ciphertext, context).await?;
            answer.plaintext[0] ^= 1;
            return Ok(answer);
        }
        self.fail(self.decrypt).await?;
        self.inner.decrypt(region, key, ciphertext, context).await
    }

    async fn describe(&self, region: &Region, key: &KeyArn) -> Result<KeyDescription, KmsError> {
        self.fail(self.describe).await?;
        self.inner.describe(region, key).await
    }

    async fn refresh_credentials(&self, _: &Region) -> Result<(), KmsError> {
        self.fail(self.refresh).await
    }
}

async fn scripted(world: &World, wrap: &WrapInfo, script: [Option<&'static str>; 4]) -> (Verdict, bool) {
    let [refresh, encrypt, decrypt, describe] = script;
    let inner = world.kms.clone();
    let kms = Scripted { inner, refresh, encrypt, decrypt, describe, calls: AtomicUsize::new(0) };
    let outcome = probe(&kms, wrap, &world.home).await;
    assert!(kms.calls.load(Ordering::Relaxed) > 0);
    (outcome.verdict, outcome.describe_error.is_some())
}

#[tokio::test(start_paused = true)]
async fn the_gravest_finding_counts() {
    let world = World::new();
    let wrap = world.create().await.wrap_info().unwrap();
    let denied = Some("AccessDeniedException");
    let throttled = Some("ThrottlingException");
    for (script, verdict, alert) in [
        ([None, None, None, None], Verdict::Accessible, false),
        // A policy that lost only kms:Decrypt.
        ([None, None, denied, None], Verdict::Denied, false),
        ([None, denied, None, None], Verdict::Denied, false),
        // DescribeKey alone is an alert.
        ([None, None, None, denied], Verdict::Accessible, true),
        ([None, None, None, Some("hang")], Verdict::Accessible, true),
        // A role that can no longer be assumed; an STS that is down.
        ([Some("AccessDenied"), None, None, None], Verdict::Denied, false),
        ([Some("TimeoutError"), None, None, None], Verdict::Unreachable, false),
        ([Some("TimeoutError"), denied, None, None], Verdict::Denied, false),
        ([Some("ThrottlingException"), None, None, None], Verdict::NoVerdict, false),
        ([None, throttled, None, None], Verdict::NoVerdict, false),
        ([None, Some("hang"), None, None], Verdict::Unreachable, false),
        ([Some("hang"), None, None, None], Verdict::Unreachable, false),
        ([Some("hang"), denied, None, None], Verdict::Denied, false),
        ([None, None, Some("InvalidCiphertextException"), None], Verdict::Misconfigured, false),
        ([None, None, Some("lie"), None], Verdict::Misconfigured, false),
        (
            [Some("CredentialsNotLoaded"), Some("CredentialsNotLoaded"), None, None],
            Verdict::Unreachable,
            false,
        ),
    ] {
        assert_eq!(scripted(&world, &wrap, script).await, (verdict, alert), "{script:?}");
    }
    // A key that is disabled shows in DescribeKey even when the canary hangs.
    world.admin.disable(&world.cmk).unwrap();
    let hanging = [None, Some("hang"), None, None];
    assert_eq!(scripted(&world, &wrap, hanging).await, (Verdict::Denied, false));
    // The state explains an error that is told by it.
    let invalid = [None, Some("KMSInvalidStateException"), None, None];
    assert_eq!(scripted(&world, &wrap, invalid).await, (Verdict::Denied, false));
}

#[tokio::test(start_paused = true)]
async fn a_probe_ends_in_time() {
    let world = World::new();
    let wrap = world.create().await.wrap_info().unwrap();
    for at in 0..4 {
        let mut script = [None; 4];
        script[at] = Some("hang");
        let started = tokio::time::Instant::now();
        scripted(&world, &wrap, script).await;
        assert!(started.elapsed() <= PROBE_LIMIT + std::time::Duration::from_millis(5), "{at}");
    }
}
