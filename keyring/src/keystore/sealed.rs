//! A keystore that was read and not unwrapped yet.
//!
//! Invariant: it is unwrapped only after its CMK was found to be one that is acceptable.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Disk, Envelope, KeystoreError, KeystoreFile, MasterEntry, RealDisk, UnsealError};
use crate::audit::{AuditAction, AuditEvent, KmsTrace};
use crate::keyring::{Keyring, MasterKey};
use crate::kms::{KeyArn, Kms, KmsError, Region};
use crate::secret::{KEY_LEN, MacKey, SecretArena};
use crate::wrap_info::WrapInfo;
use crate::{ClusterId, MemberId};

/// The keystore of a member with encryption on, as it lies on disk.
pub struct SealedKeystore {
    file: KeystoreFile,
    envelope: Envelope,
    vouched: AtomicBool,
}

impl SealedKeystore {
    /// Reads the keystore at `path` (the file); `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, has another format, was made with encryption
    /// off, or belongs to another cluster or member.
    pub fn open(path: &Path, cluster: &ClusterId, member: MemberId) -> Result<Option<Self>, KeystoreError> {
        Self::open_on(path, cluster, member, Arc::new(RealDisk))
    }

    /// As [`SealedKeystore::open`], on a disk of the caller's.
    ///
    /// # Errors
    /// As [`SealedKeystore::open`].
    pub fn open_on(
        path: &Path,
        cluster: &ClusterId,
        member: MemberId,
        disk: Arc<dyn Disk>,
    ) -> Result<Option<Self>, KeystoreError> {
        let file = KeystoreFile::new(path, disk);
        let Some(envelope) = file.load()? else { return Ok(None) };
        check_identity(&file, &envelope, cluster, member)?;
        if !envelope.is_encrypted() {
            return Err(KeystoreError::EncryptionIsOff { path: path.to_owned() });
        }
        if newest(&envelope).is_none() {
            return Err(file.damaged("it names no master key").into());
        }
        Ok(Some(Self { file, envelope, vouched: AtomicBool::new(false) }))
    }

    /// The key that wraps the newest master key, and under which context. Not to be trusted
    /// before [`SealedKeystore::vouch`].
    pub fn wrap_info(&self) -> WrapInfo {
        newest(&self.envelope).map(WrapInfo::of).expect("open refused a keystore without one")
    }

    /// The replica set's settings as this member cached them last; `None` when it never did. Whoever can write the disk
    /// may have written them, until the keystore is unsealed.
    pub fn settings(&self) -> Option<&[u8]> {
        self.envelope.body.settings.as_ref().map(|settings| settings.0.as_slice())
    }

    /// Compares the CMK that the keystore names with those that are acceptable: the configured one first, and those
    /// that the peers name as the replica set's. One has to be equal, save the Region of a multi-Region key.
    ///
    /// # Errors
    /// [`KeystoreError::ForeignCmk`] when it is another key.
    pub fn vouch(&self, acceptable: &[KeyArn]) -> Result<(), KeystoreError> {
        let known = |cmk: &KeyArn| acceptable.iter().any(|key| key.is_same_key(cmk));
        let masters = &self.envelope.body.masters;
        if let Some(foreign) = masters.iter().find(|master| !known(&master.wrap.cmk)) {
            return Err(KeystoreError::ForeignCmk {
                path: self.file.path().to_owned(),
                found: Box::new(foreign.wrap.cmk.clone()),
                acceptable: acceptable.to_vec(),
            });
        }
        self.vouched.store(true, Ordering::Release);
        Ok(())
    }

    /// Lets the service in `region` unwrap the master key, checks the MAC and unwraps the rest.
    /// The sealed keystore is not used up, so that another Region can be tried.
    ///
    /// # Errors
    /// [`UnsealError`] tells the service's verdict from a keystore that is damaged.
    pub async fn unseal(&self, kms: &dyn Kms, region: &Region) -> Result<Keyring, UnsealError> {
        if !self.vouched.load(Ordering::Acquire) {
            return Err(UnsealError::NotVouched);
        }
        let body = &self.envelope.body;
        self.envelope.check().map_err(|detail| self.file.damaged(detail))?;
        let arena = SecretArena::new();
        let named = self.envelope.mac_version();
        let mut masters = Vec::with_capacity(body.masters.len());
        let mut events = Vec::with_capacity(body.masters.len());
        for entry in &body.masters {
            let unwrapped = unwrap_master(&arena, entry, kms, region).await;
            let (master, event) = unwrapped.map_err(|error| self.name_file(error))?;
            masters.push(master);
            events.push(event);
        }
        let position = masters.iter().position(|master| Some(master.version) == named);
        let Some(position) = position else {
            return Err(self.file.damaged("its MAC names an unknown master key").into());
        };
        let master = &masters[position];
        let mac = MacKey::derive(&arena, &master.secret, master.version, &body.cluster, body.member)
            .map_err(KeystoreError::NoKey)?;
        if !self.envelope.verify_mac(&mac) {
            return Err(self.file.damaged("its MAC does not fit").into());
        }
        let file = self.file.again();
        Ok(Keyring::unsealed(file, body.clone(), arena, masters, position, mac, events)?)
    }

    /// Says in the service's refusal which file it is about.
    fn name_file(&self, error: UnsealError) -> UnsealError {
        match error {
            UnsealError::Kms(error) => {
                let path = self.file.path().display();
                let message = format!("{} (unwrapping the keystore {path})", error.message);
                UnsealError::Kms(KmsError { message, ..error })
            }
            other => other,
        }
    }
}

/// Refuses a keystore of another cluster or member.
pub(crate) fn check_identity(
    file: &KeystoreFile,
    envelope: &Envelope,
    cluster: &ClusterId,
    member: MemberId,
) -> Result<(), KeystoreError> {
    let body = &envelope.body;
    if body.cluster != *cluster {
        return Err(KeystoreError::WrongCluster {
            path: file.path().to_owned(),
            found: body.cluster.clone(),
            expected: cluster.clone(),
        });
    }
    if body.member != member {
        return Err(KeystoreError::WrongMember {
            path: file.path().to_owned(),
            found: body.member,
            expected: member,
        });
    }
    Ok(())
}

fn newest(envelope: &Envelope) -> Option<&MasterEntry> {
    envelope.body.masters.last()
}

async fn unwrap_master(
    arena: &SecretArena,
    entry: &MasterEntry,
    kms: &dyn Kms,
    region: &Region,
) -> Result<(MasterKey, AuditEvent), UnsealError> {
    let key = entry.wrap.cmk.in_region(region)?;
    let mut unwrapped = kms.decrypt(region, &key, &entry.wrap.ciphertext, &entry.wrap.context).await?;
    // Taken over from where it stands: a copy on the stack would stay there.
    let bytes: &mut [u8; KEY_LEN] = unwrapped
        .plaintext
        .as_mut_slice()
        .try_into()
        .map_err(|_| UnsealError::NotProven("its length is not 32 bytes"))?;
    let secret = arena.adopt(bytes).map_err(KeystoreError::NoKey)?;
    let kms = KmsTrace {
        cmk: key,
        region: region.clone(),
        request_ids: unwrapped.request_id.into_iter().collect(),
    };
    let event = AuditEvent::new(AuditAction::MasterUnwrapped { version: entry.version }).asking(kms);
    Ok((MasterKey { version: entry.version, secret }, event))
}
