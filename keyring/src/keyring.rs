//! The unsealed keys of a member.
//!
//! Invariants:
//! - Memory follows disk: a key is given out only once the keystore that holds it is on stable
//!   storage, and a key that was destroyed is no longer given out once its keystore is gone.
//!   Staged keys alone are in memory only, by their nature.
//! - Changes come one after the other; readers never wait for a disk.

mod audience;
mod databases;
mod events;
mod forge;
mod form_change;
mod master;
mod open;
mod raft_keys;
#[cfg(test)]
mod wipe_tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use self::audience::Audience;
use self::forge::Forge;
pub use self::form_change::FormChange;
pub use self::master::MasterRotation;
use crate::audit::{AuditAction, AuditEvent, AuditKey, AuditSink, AuditedKey};
use crate::keystore::{KeyEntry, KeystoreBody, KeystoreError, KeystoreFile, encode_plain, encode_sealed};
use crate::secret::{MacKey, SecretArena, SecretKey};
use crate::{
    ClusterId, DataKey, DatabaseId, Generation, Incarnation, KeyOwner, KeyVersion, KeyringReport, MemberId,
    RaftGeneration, WrapInfo,
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
    /// Told while `writer` is held, so that it hears of changes in their order.
    audience: Audience,
    /// What is on disk; written only by the holder of `writer`, after the disk.
    view: RwLock<View>,
}

struct Writer {
    file: KeystoreFile,
    /// `None` with encryption off.
    master: Option<Arc<Master>>,
}

struct View {
    body: Arc<KeystoreBody>,
    keys: Keys,
    /// `None` with encryption off, and until a keystore of format 1 is replaced.
    audit: Option<AuditKey>,
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

    /// The key of the audit log; `None` with encryption off, and in a keystore of format 1 until its first change.
    pub fn audit_key(&self) -> Option<AuditKey> {
        self.view().audit.clone()
    }

    /// The round of the rotation that made the newest key of a database; 0 for its first one, and where there is no such
    /// database.
    pub fn database_round(&self, database: DatabaseId) -> u64 {
        self.view().body.database(database).map_or(0, |database| database.round)
    }

    /// Lets `sink` hear of everything that happens to the keys, also of what happened since the keyring was made or unsealed.
    /// It replaces the one before.
    pub fn set_audit(&self, sink: Arc<dyn AuditSink>) {
        self.inner.audience.listen(sink);
    }

    /// The versions of the key of `owner`, oldest first; empty with encryption off or when it has none.
    pub fn versions(&self, owner: KeyOwner) -> Vec<KeyVersion> {
        self.view().keys.get(&owner).map(|versions| versions.keys().copied().collect()).unwrap_or_default()
    }

    /// The databases that are alive, by id.
    pub fn databases(&self) -> Vec<DatabaseId> {
        self.view().body.databases.iter().map(|database| database.id).collect()
    }

    /// The databases that were dropped, each with the log index of the drop.
    pub fn tombstones(&self) -> Vec<(DatabaseId, u64)> {
        self.view().body.tombstones.iter().map(|tombstone| (tombstone.id, tombstone.log_index)).collect()
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

    /// The directory that the Raft log is in.
    pub fn raft_generation(&self) -> RaftGeneration {
        self.view().body.raft_generation
    }

    /// The round of the rotation that made the master key; 0 for the first one, and with encryption off.
    pub fn master_round(&self) -> u64 {
        self.view().body.master_round
    }

    /// The round of the order that this member's form, sealed or plain, follows; 0: as it was configured.
    pub fn encryption_round(&self) -> u64 {
        self.view().body.encryption_round
    }

    /// The replica set's settings as they were cached last.
    pub fn settings(&self) -> Option<Vec<u8>> {
        self.view().body.settings.as_ref().map(|settings| settings.0.clone())
    }

    /// Caches the replica set's settings for the next start, under the seal. Nothing is written when they are the same.
    ///
    /// # Errors
    /// [`KeystoreError::SettingsTooLarge`] above 64 KiB, or when the disk fails.
    pub fn set_settings(&self, settings: &[u8]) -> Result<(), KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        if body.settings.as_ref().is_some_and(|cached| cached.0 == settings) {
            return Ok(());
        }
        body.set_settings(settings)?;
        self.commit(&mut writer, body, Vec::new(), |_| ())
    }

    /// Counts one start of the member.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn next_incarnation(&self) -> Result<Incarnation, KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let incarnation = body.next_incarnation()?;
        self.commit(&mut writer, body, Vec::new(), |_| ())?;
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

    fn forge(&self) -> Forge<'_> {
        Forge { arena: &self.inner.arena, cluster: &self.inner.cluster, member: self.inner.member }
    }

    /// Makes a data key; `None` with encryption off.
    fn make_key(
        &self,
        writer: &Writer,
        owner: KeyOwner,
        version: KeyVersion,
    ) -> Result<Option<Arc<DataKey>>, KeystoreError> {
        if writer.master.is_none() {
            return Ok(None);
        }
        self.forge().new_key(owner, version).map(Some)
    }

    fn wrap_keys<'a>(
        &self,
        writer: &Writer,
        keys: impl Iterator<Item = &'a Arc<DataKey>>,
    ) -> Result<Vec<KeyEntry>, KeystoreError> {
        let Some(master) = &writer.master else { return Ok(Vec::new()) };
        keys.map(|key| self.forge().wrap_data_key(&master.key, key)).collect()
    }

    /// Puts `body` on disk, then shows it and changes the keys, and tells of what was done.
    fn commit(
        &self,
        writer: &mut Writer,
        body: KeystoreBody,
        events: Vec<AuditEvent>,
        change: impl FnOnce(&mut Keys),
    ) -> Result<(), KeystoreError> {
        let master = writer.master.clone();
        self.commit_under(writer, body, master, events, |view| change(&mut view.keys))
    }

    /// As `commit`, sealed by `master` from now on, or by a checksum without one. The one that sealed before is wiped
    /// when nobody uses it any more.
    fn commit_under(
        &self,
        writer: &mut Writer,
        mut body: KeystoreBody,
        master: Option<Arc<Master>>,
        mut events: Vec<AuditEvent>,
        change: impl FnOnce(&mut View),
    ) -> Result<(), KeystoreError> {
        let audit = self.missing_audit_key(&mut body, master.as_deref())?;
        debug_assert_eq!(body.check(master.is_some()), Ok(()), "an edit keeps the body valid");
        let bytes = encode(&body, master.as_deref());
        if let Err(error) = writer.file.replace(&bytes) {
            let failed = events.into_iter().map(|event| event.failed(&error)).collect();
            self.inner.audience.tell(failed);
            return Err(error.into());
        }
        {
            let mut view = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
            view.body = Arc::new(body);
            view.encrypted = master.is_some();
            change(&mut view);
            if let Some(audit) = audit {
                let keys = vec![AuditedKey::audit(audit.version())];
                events.push(AuditEvent::new(AuditAction::KeysCreated { keys }));
                view.audit = Some(audit);
            }
        }
        writer.master = master;
        self.inner.audience.tell(events);
        Ok(())
    }

    /// Makes the audit key of a keystore that was written before there was one.
    fn missing_audit_key(
        &self,
        body: &mut KeystoreBody,
        master: Option<&Master>,
    ) -> Result<Option<AuditKey>, KeystoreError> {
        let Some(master) = master.filter(|_| body.audit.is_none()) else { return Ok(None) };
        let key = self.forge().new_audit_key(body.first_version()?)?;
        body.audit = Some(self.forge().wrap_audit_key(&master.key, &key)?);
        Ok(Some(key))
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
