//! How a keyring comes to be: made new, or opened.

use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use super::audience::Audience;
use super::events::{all_keys, creation, wrapped};
use super::forge::{Forge, kind_of};
use super::{Inner, Keyring, Keys, Master, MasterKey, View, Writer, encode, insert};
use crate::audit::{AuditAction, AuditEvent, AuditKey};
use crate::keystore::{
    Disk, KeyEntry, KeystoreBody, KeystoreError, KeystoreFile, MasterEntry, RealDisk, UnsealError,
    check_identity,
};
use crate::kms::Kms;
use crate::secret::{KeyKind, MacKey, SecretArena, WrapError};
use crate::timestamp::Timestamp;
use crate::{
    ClusterId, DataKey, Generation, Incarnation, KeyOwner, KeyVersion, KeystoreParams, MemberId,
    RaftGeneration,
};

impl Keyring {
    /// Makes a new keystore with a new master key and raft key at `path` (the file; its directory
    /// is made if need be). The service is proven by a wrap and an unwrap before any file is made.
    /// The incarnation is 0 until [`Keyring::next_incarnation`], the generation 1.
    ///
    /// # Errors
    /// When the service refuses or cannot be reached, when there is a keystore already, or when
    /// the disk fails.
    pub async fn create(path: &Path, params: KeystoreParams, kms: &dyn Kms) -> Result<Self, UnsealError> {
        Self::create_on(path, params, kms, Arc::new(RealDisk)).await
    }

    /// As [`Keyring::create`], on a disk of the caller's.
    ///
    /// # Errors
    /// As [`Keyring::create`].
    pub async fn create_on(
        path: &Path,
        params: KeystoreParams,
        kms: &dyn Kms,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, UnsealError> {
        let file = KeystoreFile::new(path, disk);
        file.must_be_absent()?;
        let arena = SecretArena::new();
        let KeystoreParams { cluster, member, cmk, region } = params;
        let forge = Forge { arena: &arena, cluster: &cluster, member };
        let secret = forge.new_secret()?;
        let (wrap, requests) = forge.wrap_master(&secret, kms, &cmk, &region).await?;
        let key = MasterKey { version: KeyVersion::FIRST, secret };
        let mac = MacKey::derive(&arena, &key.secret, key.version, &cluster, member)
            .map_err(KeystoreError::NoKey)?;
        let mut body = empty_body(cluster.clone(), member);
        let action = AuditAction::MasterWrapped { version: key.version };
        let mut events = vec![wrapped(action, &wrap, &requests)];
        body.masters.push(MasterEntry { version: key.version, created: Timestamp::now(), wrap });
        let audit = forge.new_audit_key(KeyVersion::FIRST)?;
        body.audit = Some(forge.wrap_audit_key(&key, &audit)?);
        let raft = forge.new_key(KeyOwner::Raft, KeyVersion::FIRST)?;
        body.raft.push(forge.wrap_data_key(&key, &raft)?);
        let mut keys = Keys::new();
        insert(&mut keys, raft);
        let secrets = Secrets { master: Some(Master { key, mac }), keys, audit: Some(audit) };
        events.extend(creation(&all_keys(&body)));
        let keyring = Self::first(file, body, arena, secrets)?;
        keyring.inner.audience.tell(events);
        Ok(keyring)
    }

    /// Makes a new keystore for a member with encryption off.
    ///
    /// # Errors
    /// When there is a keystore already, or when the disk fails.
    pub fn create_plain(path: &Path, cluster: ClusterId, member: MemberId) -> Result<Self, KeystoreError> {
        let file = KeystoreFile::new(path, Arc::new(RealDisk));
        file.must_be_absent()?;
        Self::first(file, empty_body(cluster, member), SecretArena::new(), Secrets::default())
    }

    /// Opens the keystore of a member with encryption off; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, has another format, was made with encryption on,
    /// or belongs to another cluster or member.
    pub fn open_plain(
        path: &Path,
        cluster: &ClusterId,
        member: MemberId,
    ) -> Result<Option<Self>, KeystoreError> {
        Self::open_plain_on(path, cluster, member, Arc::new(RealDisk))
    }

    /// As [`Keyring::open_plain`], on a disk of the caller's.
    ///
    /// # Errors
    /// As [`Keyring::open_plain`].
    pub fn open_plain_on(
        path: &Path,
        cluster: &ClusterId,
        member: MemberId,
        disk: Arc<dyn Disk>,
    ) -> Result<Option<Self>, KeystoreError> {
        let file = KeystoreFile::new(path, disk);
        let Some(envelope) = file.load()? else { return Ok(None) };
        check_identity(&file, &envelope, cluster, member)?;
        if envelope.is_encrypted() {
            return Err(KeystoreError::EncryptionIsOn { path: path.to_owned() });
        }
        if !envelope.verify_checksum() {
            return Err(file.damaged("its checksum does not fit").into());
        }
        envelope.check().map_err(|detail| file.damaged(detail))?;
        Ok(Some(Self::assemble(file, envelope.body, SecretArena::new(), Secrets::default())))
    }

    /// Unwraps every key of a keystore whose MAC was checked; the master at `position` wraps and
    /// authenticates from now on. `events` say how they were unwrapped.
    pub(crate) fn unsealed(
        file: KeystoreFile,
        body: KeystoreBody,
        arena: SecretArena,
        mut masters: Vec<MasterKey>,
        position: usize,
        mac: MacKey,
        mut events: Vec<AuditEvent>,
    ) -> Result<Self, KeystoreError> {
        let forge = Forge { arena: &arena, cluster: &body.cluster, member: body.member };
        let unwrap = |name: &dyn std::fmt::Display, (kind, id), entry: &KeyEntry| {
            let wrapping = masters.iter().find(|master| master.version == entry.wrapped_by);
            let wrapping =
                wrapping.ok_or_else(|| file.damaged(format!("the key of {name} has no master key")))?;
            let place = forge.place(kind, id, entry.version, entry.wrapped_by);
            entry.wrapped.unwrap(&arena, &wrapping.secret, &place).map_err(|error| match error {
                WrapError::Refused => {
                    let version = entry.version;
                    KeystoreError::from(
                        file.damaged(format!("the key of {name}, version {version}, does not open")),
                    )
                }
                WrapError::System(error) => KeystoreError::NoKey(error),
            })
        };
        let mut keys = Keys::new();
        let raft = body.raft.iter().map(|entry| (KeyOwner::Raft, entry));
        let databases = body
            .databases
            .iter()
            .flat_map(|database| database.keys.iter().map(|entry| (KeyOwner::Database(database.id), entry)));
        for (owner, entry) in raft.chain(databases) {
            let secret = unwrap(&owner, kind_of(owner), entry)?;
            insert(&mut keys, Arc::new(DataKey::new(owner, entry.version, secret)));
        }
        let audit = match &body.audit {
            Some(entry) => {
                let secret = unwrap(&"the audit log", (KeyKind::Audit, 0), entry)?;
                Some(AuditKey::new(entry.version, secret))
            }
            None => None,
        };
        let count =
            keys.values().map(|versions| versions.len()).sum::<usize>() + usize::from(audit.is_some());
        let key = masters.swap_remove(position);
        events.push(AuditEvent::new(AuditAction::KeysUnwrapped { wrapped_by: key.version, count }));
        let master = Some(Master { key, mac });
        let keyring = Self::assemble(file, body, arena, Secrets { master, keys, audit });
        keyring.inner.audience.tell(events);
        Ok(keyring)
    }

    fn first(
        mut file: KeystoreFile,
        body: KeystoreBody,
        arena: SecretArena,
        secrets: Secrets,
    ) -> Result<Self, KeystoreError> {
        file.prepare_dir()?;
        file.replace(&encode(&body, secrets.master.as_ref()))?;
        Ok(Self::assemble(file, body, arena, secrets))
    }

    fn assemble(file: KeystoreFile, body: KeystoreBody, arena: SecretArena, secrets: Secrets) -> Self {
        let Secrets { master, keys, audit } = secrets;
        let inner = Inner {
            cluster: body.cluster.clone(),
            member: body.member,
            arena,
            audience: Audience::default(),
            view: RwLock::new(View { body: Arc::new(body), keys, audit, encrypted: master.is_some() }),
            writer: Mutex::new(Writer { file, master: master.map(Arc::new) }),
        };
        Self { inner: Arc::new(inner) }
    }
}

/// Everything secret that a keyring starts with; nothing with encryption off.
#[derive(Default)]
struct Secrets {
    master: Option<Master>,
    keys: Keys,
    audit: Option<AuditKey>,
}

fn empty_body(cluster: ClusterId, member: MemberId) -> KeystoreBody {
    KeystoreBody {
        cluster,
        member,
        incarnation: Incarnation(0),
        generation: Generation(1),
        raft_generation: RaftGeneration(0),
        master_round: 0,
        encryption_round: 0,
        form_order: None,
        version_floor: KeyVersion(0),
        settings: None,
        audit: None,
        masters: Vec::new(),
        raft: Vec::new(),
        databases: Vec::new(),
        tombstones: Vec::new(),
    }
}
