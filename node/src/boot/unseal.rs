//! Steps 8 to 10: the keystore is read and vouched for, the customer's key is proven, the master key unwrapped or made.
//!
//! Invariants:
//! - Nothing of the keystore is unwrapped before its key was found to be the configured one.
//! - No file of keys is made before the service was proven to wrap and unwrap.
//! - A sealed member never exits by itself: it asks again, however long, with pauses that grow up to a limit.
//! - A home Region that denies ends the round: no other Region is asked to outwit it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffer_keyring::health::Verdict;
use coffer_keyring::kms::{KeyArn, Kms, KmsErrorClass, Region};
use coffer_keyring::{ClusterId, Keyring, KeystoreParams, MemberId, SealedKeystore, UnsealError};

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
}

impl Unseal {
    /// As the configuration has it.
    pub(crate) fn new(member: Arc<Member>, kms: Arc<dyn Kms>, config: &Config) -> Result<Self, BootError> {
        let cmk =
            config.encryption.cmk().ok_or_else(|| BootError::Provider("no key is configured".to_owned()))?;
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
            Some(sealed) => sealed.vouch(&self.cmk)?,
            // A new keystore would have new keys: everything in the directory would be lost without a word.
            None if known => return Err(BootError::KeystoreGone { path: self.keystore.clone() }),
            None => {}
        }
        self.member.enter(MemberState::Sealed, "it asks for the customer's key");
        let mut pause = self.retry_min;
        loop {
            match self.round(sealed.as_ref()).await? {
                Ok(unsealed) => return Ok(unsealed),
                Err(refusal) => self.report(&refusal),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.retry_max);
        }
    }

    fn ids(&self) -> (ClusterId, MemberId) {
        let identity = self.member.identity();
        (identity.cluster_id.clone(), identity.member_id)
    }

    /// One round over the Regions. The inner error keeps the member sealed, the outer one ends it.
    async fn round(&self, sealed: Option<&SealedKeystore>) -> Result<Result<Unsealed, Refusal>, BootError> {
        let mut first: Option<Refusal> = None;
        for region in &self.regions {
            let answer = match sealed {
                Some(sealed) => sealed.unseal(self.kms.as_ref(), region).await,
                None => self.create(region).await,
            };
            let error = match answer {
                Ok(keyring) => {
                    self.accessible(region);
                    return Ok(Ok(Unsealed { keyring, region: region.clone() }));
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
        first.map(Err).ok_or_else(|| BootError::Provider("no Region is configured".to_owned()))
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
            status.last_probe = Some(Instant::now());
            status.denied_in_a_row = 0;
        });
    }

    fn report(&self, refusal: &Refusal) {
        self.member.set_kms_status(|status| {
            status.region = refusal.region.to_string();
            status.verdict = verdict_name(refusal.verdict);
            status.last_error_code.clone_from(&refusal.code);
            status.last_probe = Some(Instant::now());
            status.denied_in_a_row =
                if refusal.verdict == Verdict::Denied { status.denied_in_a_row.saturating_add(1) } else { 0 };
        });
        self.member.enter(MemberState::Sealed, refusal.reason.clone());
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
