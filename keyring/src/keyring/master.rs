//! The rotation of the master key.
//!
//! Invariants:
//! - The service is asked, and has proven its wrap, before the keystore is touched; nobody waits for it meanwhile.
//! - Every key that is in the keystore at the moment of the switch is wrapped by the new master key, also one that was
//!   made while the service was asked.
//! - After the switch the old master key is neither in the keystore nor in memory.

use std::sync::Arc;

use super::events::{creation, destruction, refused, wrapped};
use super::forge::KmsRequests;
use super::{Keyring, Master, MasterKey};
use crate::audit::{AuditAction, AuditEvent, AuditedKey};
use crate::keystore::{CmkWrap, KeystoreError, MasterEntry, UnsealError};
use crate::kms::{KeyArn, Kms, Region};
use crate::secret::{MacKey, SecretKey};
use crate::timestamp::Timestamp;
use crate::{KeyVersion, WrapInfo};

/// What a rotation of the master key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterRotation {
    /// The version of the new master key.
    pub version: KeyVersion,
    /// The version that it replaced.
    pub replaced: KeyVersion,
    /// What had wrapped the old one.
    pub replaced_wrap: WrapInfo,
    /// What wraps the new one.
    pub wrap: WrapInfo,
    /// How many keys were wrapped again.
    pub rewrapped: usize,
    /// The service's ids of the Encrypt and the Decrypt, for its audit trail.
    pub request_ids: [Option<String>; 2],
}

impl Keyring {
    /// Makes a new master key, lets `region` wrap it with `cmk` (the present one or another), proves that by an unwrap,
    /// wraps every key under the new master key and replaces the keystore, once. The old master key is destroyed. The
    /// old CMK is not asked for anything.
    ///
    /// The keystore notes `round` as done, or keeps a later one.
    ///
    /// # Errors
    /// When the service refuses or cannot be reached, with encryption off, or when the disk fails. Unless the disk
    /// failed in the middle of the switch, nothing is changed then.
    pub async fn rotate_master(
        &self,
        kms: &dyn Kms,
        cmk: &KeyArn,
        region: &Region,
        round: u64,
    ) -> Result<MasterRotation, UnsealError> {
        if !self.encryption_enabled() {
            return Err(KeystoreError::NoKeys.into());
        }
        let secret = self.forge().new_secret()?;
        let wrapped = self.forge().wrap_master(&secret, kms, cmk, region).await;
        let (wrap, requests) = wrapped.inspect_err(|error| self.tell_refused(cmk, region, error))?;
        let keyring = self.clone();
        Ok(blocking(move || keyring.switch_master(secret, wrap, requests, round)).await?)
    }

    /// Lets `region` wrap the present master key again with the CMK's present key material, proves that by an unwrap and
    /// replaces the keystore. Nothing is done when the master key was rotated meanwhile.
    ///
    /// # Errors
    /// As [`Keyring::rotate_master`].
    pub async fn rewrap_master(&self, kms: &dyn Kms, region: &Region) -> Result<(), UnsealError> {
        let (master, old) = (self.writer().master.clone(), self.wrap_info());
        let (Some(master), Some(old)) = (master, old) else { return Err(KeystoreError::NoKeys.into()) };
        let wrapped = self.forge().wrap_master(&master.key.secret, kms, &old.cmk, region).await;
        let (wrap, requests) = wrapped.inspect_err(|error| self.tell_refused(&old.cmk, region, error))?;
        let keyring = self.clone();
        blocking(move || keyring.switch_wrap(&master, wrap, &requests)).await?;
        Ok(())
    }

    fn switch_master(
        &self,
        secret: SecretKey,
        wrap: CmkWrap,
        requests: KmsRequests,
        round: u64,
    ) -> Result<MasterRotation, KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let Some(replaced_wrap) = body.masters.last().map(WrapInfo::of) else {
            return Err(KeystoreError::NoKeys);
        };
        let master = self.master(MasterKey { version: body.next_master_version()?, secret })?;
        let version = master.key.version;
        let rewrapped = {
            let view = self.view();
            self.forge().rewrap_all(&mut body, &master.key, &view.keys, view.audit.as_ref())?
        };
        let replaced = replaced_wrap.version;
        let mut events = creation(&[AuditedKey::master(version)]);
        events.push(wrapped(AuditAction::MasterWrapped { version }, &wrap, &requests));
        events.push(AuditEvent::new(AuditAction::MasterRotated {
            from: replaced,
            to: version,
            round,
            rewrapped,
        }));
        events.extend(destruction(&[AuditedKey::master(replaced)]));
        let entry = MasterEntry { version, created: Timestamp::now(), wrap };
        let wrap = WrapInfo::of(&entry);
        body.masters = vec![entry];
        body.master_round = body.master_round.max(round);
        self.commit_under(&mut writer, body, Some(Arc::new(master)), events, |_| ())?;
        let request_ids = [requests.encrypt, requests.decrypt];
        Ok(MasterRotation { version, replaced, replaced_wrap, wrap, rewrapped, request_ids })
    }

    fn switch_wrap(
        &self,
        master: &Master,
        wrap: CmkWrap,
        requests: &KmsRequests,
    ) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let version = master.key.version;
        let Some(entry) = body.masters.iter_mut().find(|entry| entry.version == version) else {
            return Ok(());
        };
        let events = vec![wrapped(AuditAction::MasterRewrapped { version }, &wrap, requests)];
        entry.wrap = wrap;
        self.commit(&mut writer, body, events, |_| ())
    }

    /// Tells that the service did not wrap the next master key, or the present one again.
    fn tell_refused(&self, cmk: &KeyArn, region: &Region, error: &UnsealError) {
        let version = self.body().next_master_version().unwrap_or_default();
        self.inner.audience.tell(vec![refused(version, cmk, region, error)]);
    }

    /// A master key with the MAC key that hangs from it.
    pub(super) fn master(&self, key: MasterKey) -> Result<Master, KeystoreError> {
        let inner = &self.inner;
        let mac = MacKey::derive(&inner.arena, &key.secret, key.version, &inner.cluster, inner.member);
        Ok(Master { key, mac: mac.map_err(KeystoreError::NoKey)? })
    }
}

/// Runs what waits for a disk where it keeps no other task waiting; outside of tokio, here. Once begun it runs to its end,
/// also when the caller goes away.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeystoreError> + Send + 'static,
) -> Result<T, KeystoreError> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return work() };
    match runtime.spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime goes down, and nothing was begun.
        Err(error) => Err(KeystoreError::NoKey(std::io::Error::other(error))),
    }
}
