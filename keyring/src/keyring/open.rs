//! How a keyring comes to be: made new, or opened.

use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use super::forge::{make_master, new_key, place, wrap_key};
use super::{Inner, Keyring, Keys, Master, MasterKey, View, Writer, encode, insert};
use crate::keystore::{
    Disk, KeystoreBody, KeystoreError, KeystoreFile, MasterEntry, RealDisk, UnsealError, check_identity,
};
use crate::kms::Kms;
use crate::secret::{MacKey, SecretArena, WrapError};
use crate::timestamp::Timestamp;
use crate::{ClusterId, DataKey, Generation, Incarnation, KeyOwner, KeyVersion, KeystoreParams, MemberId};

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
        let (secret, wrap) = make_master(&arena, &params, kms).await?;
        let KeystoreParams { cluster, member, .. } = params;
        let key = MasterKey { version: KeyVersion::FIRST, secret };
        let mac = MacKey::derive(&arena, &key.secret, key.version, &cluster, member)
            .map_err(KeystoreError::NoKey)?;
        let mut body = empty_body(cluster, member);
        body.masters.push(MasterEntry { version: key.version, created: Timestamp::now(), wrap });
        let master = Master { key, mac };
        let raft = new_key(&arena, KeyOwner::Raft, KeyVersion::FIRST)?;
        body.raft.push(wrap_key(&arena, &body, &master, &raft)?);
        let mut keys = Keys::new();
        insert(&mut keys, raft);
        Ok(Self::first(file, body, arena, Some(master), keys)?)
    }

    /// Makes a new keystore for a member with encryption off.
    ///
    /// # Errors
    /// When there is a keystore already, or when the disk fails.
    pub fn create_plain(path: &Path, cluster: ClusterId, member: MemberId) -> Result<Self, KeystoreError> {
        let file = KeystoreFile::new(path, Arc::new(RealDisk));
        file.must_be_absent()?;
        Self::first(file, empty_body(cluster, member), SecretArena::new(), None, Keys::new())
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
        let file = KeystoreFile::new(path, Arc::new(RealDisk));
        let Some(envelope) = file.load()? else { return Ok(None) };
        check_identity(&file, &envelope, cluster, member)?;
        if envelope.is_encrypted() {
            return Err(KeystoreError::EncryptionIsOn { path: path.to_owned() });
        }
        if !envelope.verify_checksum() {
            return Err(file.damaged("its checksum does not fit").into());
        }
        envelope.body.check(false).map_err(|detail| file.damaged(detail))?;
        Ok(Some(Self::assemble(file, envelope.body, SecretArena::new(), None, Keys::new())))
    }

    /// Unwraps every key of a keystore whose MAC was checked; the master at `position` wraps and
    /// authenticates from now on.
    pub(crate) fn unsealed(
        file: KeystoreFile,
        body: KeystoreBody,
        arena: SecretArena,
        mut masters: Vec<MasterKey>,
        position: usize,
        mac: MacKey,
    ) -> Result<Self, KeystoreError> {
        let mut keys = Keys::new();
        let raft = body.raft.iter().map(|entry| (KeyOwner::Raft, entry));
        let databases = body
            .databases
            .iter()
            .flat_map(|database| database.keys.iter().map(|entry| (KeyOwner::Database(database.id), entry)));
        for (owner, entry) in raft.chain(databases) {
            let place = place(&body, owner, entry.version, entry.wrapped_by);
            let wrapping = masters
                .iter()
                .find(|master| master.version == entry.wrapped_by)
                .ok_or_else(|| file.damaged(format!("the key of {owner} has no master key")))?;
            let secret = entry.wrapped.unwrap(&arena, &wrapping.secret, &place);
            let secret = secret.map_err(|error| match error {
                WrapError::Refused => {
                    let version = entry.version;
                    file.damaged(format!("the key of {owner}, version {version}, does not open")).into()
                }
                WrapError::System(error) => KeystoreError::NoKey(error),
            })?;
            insert(&mut keys, Arc::new(DataKey::new(owner, entry.version, secret)));
        }
        let master = Master { key: masters.swap_remove(position), mac };
        Ok(Self::assemble(file, body, arena, Some(master), keys))
    }

    fn first(
        mut file: KeystoreFile,
        body: KeystoreBody,
        arena: SecretArena,
        master: Option<Master>,
        keys: Keys,
    ) -> Result<Self, KeystoreError> {
        file.prepare_dir()?;
        file.replace(&encode(&body, master.as_ref()))?;
        Ok(Self::assemble(file, body, arena, master, keys))
    }

    fn assemble(
        file: KeystoreFile,
        body: KeystoreBody,
        arena: SecretArena,
        master: Option<Master>,
        keys: Keys,
    ) -> Self {
        let inner = Inner {
            cluster: body.cluster.clone(),
            member: body.member,
            arena,
            view: RwLock::new(View { body: Arc::new(body), keys, encrypted: master.is_some() }),
            writer: Mutex::new(Writer { file, master }),
        };
        Self { inner: Arc::new(inner) }
    }
}

fn empty_body(cluster: ClusterId, member: MemberId) -> KeystoreBody {
    KeystoreBody {
        cluster,
        member,
        incarnation: Incarnation(0),
        generation: Generation(1),
        masters: Vec::new(),
        raft: Vec::new(),
        databases: Vec::new(),
        tombstones: Vec::new(),
    }
}
