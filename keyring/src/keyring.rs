//! The unsealed keys of a member.
//!
//! Invariants:
//! - Memory follows disk: a key is given out only once the keystore that holds it is on stable
//!   storage, and a key that was destroyed is no longer given out once its keystore is gone.
//!   Staged keys alone are in memory only, by their nature.
//! - Changes come one after the other; readers never wait for a disk.

mod forge;
mod open;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use self::forge::{new_key, wrap_key};
use crate::keystore::{
    DatabaseEntry, KeyEntry, KeystoreBody, KeystoreError, KeystoreFile, encode_plain, encode_sealed,
};
use crate::secret::{MacKey, SecretArena, SecretKey};
use crate::{
    ClusterId, DataKey, DatabaseId, Generation, Incarnation, KeyOwner, KeyVersion, KeyringReport, MemberId,
    StagedKey, WrapInfo,
};

type Keys = HashMap<KeyOwner, BTreeMap<KeyVersion, Arc<DataKey>>>;

/// The unsealed keys of a member and the one way to change its keystore. Clones share everything;
/// the keys are wiped when the last clone and the last [`DataKey`] given out are gone.
///
/// The methods that change something replace the keystore and return when that is on stable
/// storage: a few milliseconds, blocking.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
}

struct Inner {
    cluster: ClusterId,
    member: MemberId,
    arena: SecretArena,
    /// Taken for a whole change, so that changes come one after the other.
    writer: Mutex<Writer>,
    /// What is on disk; written only by the holder of `writer`, after the disk.
    view: RwLock<View>,
}

struct Writer {
    file: KeystoreFile,
    /// `None` with encryption off.
    master: Option<Master>,
}

struct View {
    body: Arc<KeystoreBody>,
    keys: Keys,
    encrypted: bool,
}

/// An unwrapped version of the node master key.
pub(crate) struct MasterKey {
    pub(crate) version: KeyVersion,
    pub(crate) secret: SecretKey,
}

/// The master key that wraps and authenticates.
struct Master {
    key: MasterKey,
    mac: MacKey,
}

impl Keyring {
    /// The cluster that the keystore belongs to.
    pub fn cluster_id(&self) -> &ClusterId {
        &self.inner.cluster
    }

    /// The member that the keystore belongs to.
    pub fn member_id(&self) -> MemberId {
        self.inner.member
    }

    /// How often the member was started; 0 before the first [`Keyring::next_incarnation`].
    pub fn incarnation(&self) -> Incarnation {
        self.view().body.incarnation
    }

    /// The live generation of the data directory.
    pub fn generation(&self) -> Generation {
        self.view().body.generation
    }

    /// Whether encryption is on; off, there are no keys.
    pub fn encryption_enabled(&self) -> bool {
        self.view().encrypted
    }

    /// How the master key is wrapped; `None` with encryption off.
    pub fn wrap_info(&self) -> Option<WrapInfo> {
        self.view().body.masters.last().map(WrapInfo::of)
    }

    /// The newest key of `owner`; `None` with encryption off or when it has none.
    pub fn current(&self, owner: KeyOwner) -> Option<Arc<DataKey>> {
        self.view().keys.get(&owner)?.last_key_value().map(|(_, key)| Arc::clone(key))
    }

    /// One version of the key of `owner`; `None` with encryption off or when it is not there.
    pub fn get(&self, owner: KeyOwner, version: KeyVersion) -> Option<Arc<DataKey>> {
        self.view().keys.get(&owner)?.get(&version).cloned()
    }

    /// The databases that are alive, by id.
    pub fn databases(&self) -> Vec<DatabaseId> {
        self.view().body.databases.iter().map(|database| database.id).collect()
    }

    /// The log index at which a database was dropped, while its tombstone is kept.
    pub fn tombstone(&self, database: DatabaseId) -> Option<u64> {
        self.view().body.tombstone(database)
    }

    /// The key hierarchy, for people; no secrets.
    pub fn report(&self) -> KeyringReport {
        let view = self.view();
        KeyringReport::of(&view.body, view.encrypted, self.inner.arena.is_locked())
    }

    /// Enters a database, created by the command at `log_index`, with a new key. Nothing is done
    /// when it is there already.
    ///
    /// # Errors
    /// [`KeystoreError::Tombstoned`] when it was dropped, or when the disk fails.
    pub fn create_database(&self, database: DatabaseId, log_index: u64) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        if body.database(database).is_some() {
            return Ok(());
        }
        body.refuse_tombstoned(database)?;
        let key = self.make_key(&writer, KeyOwner::Database(database), KeyVersion::FIRST)?;
        let keys = self.wrap_keys(&writer, &body, key.iter())?;
        body.add_database(DatabaseEntry { id: database, log_index, keys })?;
        self.commit(&mut writer, body, |keys| {
            if let Some(key) = key {
                insert(keys, key);
            }
        })
    }

    /// Destroys every version of a database's key and leaves a tombstone, in one replacement.
    /// Nothing is done when it is tombstoned already; a database that is not there is tombstoned,
    /// so that it cannot come.
    ///
    /// # Errors
    /// [`KeystoreError::AdminDatabase`], or when the disk fails.
    pub fn drop_database(&self, database: DatabaseId, log_index: u64) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        if body.tombstone(database).is_some() {
            return Ok(());
        }
        body.drop_database(database, log_index)?;
        self.commit(&mut writer, body, |keys| {
            keys.remove(&KeyOwner::Database(database));
        })
    }

    /// Forgets the tombstones of databases dropped at `up_to_log_index` or before: the log that
    /// could name them again was purged.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn prune_tombstones(&self, up_to_log_index: u64) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let before = body.tombstones.len();
        body.prune_tombstones(up_to_log_index);
        if body.tombstones.len() == before {
            return Ok(());
        }
        self.commit(&mut writer, body, |_| ())
    }

    /// Makes the next key of a database, in memory only.
    ///
    /// # Errors
    /// [`KeystoreError::Tombstoned`], or when no key can be made.
    pub fn stage_database_key(&self, database: DatabaseId) -> Result<StagedKey, KeystoreError> {
        let writer = self.writer();
        let body = Arc::clone(&self.view().body);
        body.refuse_tombstoned(database)?;
        let version = body.next_version(database)?;
        let key = self.make_key(&writer, KeyOwner::Database(database), version)?;
        Ok(StagedKey::new(database, version, key))
    }

    /// Switches to a newer generation, in one replacement: the staged keys become the only keys
    /// of their databases, and the databases that are not among them are destroyed and tombstoned
    /// at `log_index`.
    ///
    /// # Errors
    /// When the generation is not newer, a staged key is out of date or doubled, a staged database
    /// is tombstoned, the admin database would go, or the disk fails. Nothing is changed then.
    pub fn switch_generation(
        &self,
        generation: Generation,
        staged: Vec<StagedKey>,
        log_index: u64,
    ) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let mut entries = Vec::with_capacity(staged.len());
        for staged in &staged {
            let entry = self.wrap_keys(&writer, &body, staged.key().iter())?.pop();
            entries.push((staged.database(), staged.version(), entry));
        }
        body.switch_generation(generation, entries, log_index)?;
        self.commit(&mut writer, body, |keys| {
            keys.retain(|owner, _| *owner == KeyOwner::Raft);
            for key in staged.iter().filter_map(StagedKey::key) {
                insert(keys, key);
            }
        })
    }

    /// Adds a new raft key, which is the current one from now on; the older ones stay until
    /// [`Keyring::retire_raft_keys_before`]. With encryption off there is none, and version 1 is
    /// returned.
    ///
    /// # Errors
    /// When no key can be made or the disk fails.
    pub fn rotate_raft_key(&self) -> Result<KeyVersion, KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let Some(newest) = body.raft.last() else { return Ok(KeyVersion::FIRST) };
        let version = newest.version.next().ok_or(KeystoreError::Exhausted("raft key version"))?;
        let key = self.make_key(&writer, KeyOwner::Raft, version)?;
        let entries = self.wrap_keys(&writer, &body, key.iter())?;
        body.raft.extend(entries);
        self.commit(&mut writer, body, |keys| {
            if let Some(key) = key {
                insert(keys, key);
            }
        })?;
        Ok(version)
    }

    /// Destroys the raft keys older than `version`: no file is sealed with them any more. Nothing
    /// is done with encryption off.
    ///
    /// # Errors
    /// [`KeystoreError::UnknownRaftKey`] when there is no such version, or when the disk fails.
    pub fn retire_raft_keys_before(&self, version: KeyVersion) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        if writer.master.is_none() {
            return Ok(());
        }
        let before = body.raft.len();
        body.retire_raft_keys_before(version)?;
        if body.raft.len() == before {
            return Ok(());
        }
        self.commit(&mut writer, body, |keys| {
            if let Some(versions) = keys.get_mut(&KeyOwner::Raft) {
                versions.retain(|held, _| *held >= version);
            }
        })
    }

    /// Counts one start of the member.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn next_incarnation(&self) -> Result<Incarnation, KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let incarnation = body.next_incarnation()?;
        self.commit(&mut writer, body, |_| ())?;
        Ok(incarnation)
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        // The view is swapped field by field after the disk; no statement between can panic.
        self.inner.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // The writer's state changes only inside `replace`, which marks itself failed.
        self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn body(&self) -> KeystoreBody {
        KeystoreBody::clone(&self.view().body)
    }

    fn make_key(
        &self,
        writer: &Writer,
        owner: KeyOwner,
        version: KeyVersion,
    ) -> Result<Option<Arc<DataKey>>, KeystoreError> {
        if writer.master.is_none() {
            return Ok(None);
        }
        new_key(&self.inner.arena, owner, version).map(Some)
    }

    fn wrap_keys<'a>(
        &self,
        writer: &Writer,
        body: &KeystoreBody,
        keys: impl Iterator<Item = &'a Arc<DataKey>>,
    ) -> Result<Vec<KeyEntry>, KeystoreError> {
        let Some(master) = &writer.master else { return Ok(Vec::new()) };
        keys.map(|key| wrap_key(&self.inner.arena, body, master, key)).collect()
    }

    /// Puts `body` on disk, and then shows it and changes the keys.
    fn commit(
        &self,
        writer: &mut Writer,
        body: KeystoreBody,
        change: impl FnOnce(&mut Keys),
    ) -> Result<(), KeystoreError> {
        debug_assert_eq!(body.check(writer.master.is_some()), Ok(()), "an edit keeps the body valid");
        let bytes = encode(&body, writer.master.as_ref());
        writer.file.replace(&bytes)?;
        let mut view = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        view.body = Arc::new(body);
        change(&mut view.keys);
        Ok(())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("cluster", &self.inner.cluster)
            .field("member", &self.inner.member)
            .finish_non_exhaustive()
    }
}

fn encode(body: &KeystoreBody, master: Option<&Master>) -> Vec<u8> {
    match master {
        Some(Master { key, mac }) => encode_sealed(body, mac, key.version),
        None => encode_plain(body),
    }
}

fn insert(keys: &mut Keys, key: Arc<DataKey>) {
    keys.entry(key.owner()).or_default().insert(key.version(), key);
}
