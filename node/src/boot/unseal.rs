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
mod tests;
