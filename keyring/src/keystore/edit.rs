//! Changes of the keystore's content: pure, each from one valid body to the next.

use std::collections::BTreeSet;

use super::body::{MAX_SETTINGS, MAX_VERSIONS, OpaqueBytes};
use super::{DatabaseEntry, KeyEntry, KeystoreBody, KeystoreError, Tombstone};
use crate::{DatabaseId, Generation, Incarnation, KeyOwner, KeyVersion};

impl KeystoreBody {
    /// The version that the database's next key has.
    pub(crate) fn next_version(&self, id: DatabaseId) -> Result<KeyVersion, KeystoreError> {
        match self.database(id).and_then(|database| database.keys.last()) {
            Some(key) => key.version.next().ok_or(KeystoreError::Exhausted("key version")),
            None => self.first_version(),
        }
    }

    /// Adds a newer key to a database, `None` with encryption off, and notes the round that it is of.
    pub(crate) fn add_database_key(
        &mut self,
        id: DatabaseId,
        key: Option<KeyEntry>,
        round: u64,
    ) -> Result<(), KeystoreError> {
        let database = self.database_mut(id)?;
        database.round = database.round.max(round);
        if let Some(key) = key {
            refuse_more(KeyOwner::Database(id), &database.keys)?;
            database.keys.push(key);
        }
        Ok(())
    }

    /// Takes out the keys of a database that are neither needed nor its newest; their versions are returned.
    pub(crate) fn retire_database_keys(
        &mut self,
        id: DatabaseId,
        needed: &BTreeSet<KeyVersion>,
    ) -> Result<Vec<KeyVersion>, KeystoreError> {
        let database = self.database_mut(id)?;
        let newest = database.keys.last().map(|key| key.version);
        let kept = |version| Some(version) == newest || needed.contains(&version);
        let gone = database.keys.iter().map(|key| key.version).filter(|version| !kept(*version)).collect();
        database.keys.retain(|key| kept(key.version));
        Ok(gone)
    }

    /// Adds a newer raft key.
    pub(crate) fn add_raft_key(&mut self, key: KeyEntry) -> Result<(), KeystoreError> {
        refuse_more(KeyOwner::Raft, &self.raft)?;
        self.raft.push(key);
        Ok(())
    }

    /// Caches the replica set's settings.
    pub(crate) fn set_settings(&mut self, settings: &[u8]) -> Result<(), KeystoreError> {
        if settings.len() > MAX_SETTINGS {
            return Err(KeystoreError::SettingsTooLarge { len: settings.len(), limit: MAX_SETTINGS });
        }
        self.settings = Some(OpaqueBytes(settings.to_vec()));
        Ok(())
    }

    /// Takes out every key, because the form of the keystore changes in `round`: those that come have higher versions,
    /// and are as new as any that was ordered before.
    pub(crate) fn strip_keys(&mut self, round: u64) {
        self.version_floor = self.highest_version();
        self.masters.clear();
        self.audit = None;
        self.raft.clear();
        for database in &mut self.databases {
            database.keys.clear();
            database.round = database.round.max(round);
        }
        self.master_round = self.master_round.max(round);
    }

    /// The highest version that any key has or had.
    pub(crate) fn highest_version(&self) -> KeyVersion {
        let databases = self.databases.iter().flat_map(|database| &database.keys);
        let keys = self.raft.iter().chain(&self.audit).chain(databases).map(|key| key.version);
        let masters = self.masters.iter().map(|master| master.version);
        keys.chain(masters).max().unwrap_or_default().max(self.version_floor)
    }

    fn database_mut(&mut self, id: DatabaseId) -> Result<&mut DatabaseEntry, KeystoreError> {
        match self.databases.binary_search_by_key(&id, |database| database.id) {
            Ok(at) => Ok(&mut self.databases[at]),
            Err(_) => Err(KeystoreError::UnknownDatabase(id)),
        }
    }

    /// Refuses a database that was dropped.
    pub(crate) fn refuse_tombstoned(&self, database: DatabaseId) -> Result<(), KeystoreError> {
        match self.tombstone(database) {
            Some(log_index) => Err(KeystoreError::Tombstoned { database, log_index }),
            None => Ok(()),
        }
    }

    /// Adds a database that is neither there nor tombstoned.
    pub(crate) fn add_database(&mut self, entry: DatabaseEntry) -> Result<(), KeystoreError> {
        self.refuse_tombstoned(entry.id)?;
        if let Err(at) = self.databases.binary_search_by_key(&entry.id, |database| database.id) {
            self.databases.insert(at, entry);
        }
        Ok(())
    }

    /// Takes a database out with all its keys and leaves a tombstone; the first one stays.
    pub(crate) fn drop_database(&mut self, id: DatabaseId, log_index: u64) -> Result<(), KeystoreError> {
        if id == DatabaseId::ADMIN {
            return Err(KeystoreError::AdminDatabase);
        }
        if let Ok(at) = self.databases.binary_search_by_key(&id, |database| database.id) {
            self.databases.remove(at);
        }
        if let Err(at) = self.tombstones.binary_search_by_key(&id, |tombstone| tombstone.id) {
            self.tombstones.insert(at, Tombstone { id, log_index });
        }
        Ok(())
    }

    /// Makes `staged` the only databases, each with one key (none with encryption off), and
    /// tombstones every other.
    pub(crate) fn switch_generation(
        &mut self,
        generation: Generation,
        staged: Vec<(DatabaseId, KeyVersion, Option<KeyEntry>)>,
        log_index: u64,
    ) -> Result<(), KeystoreError> {
        if generation <= self.generation {
            let live = self.generation;
            return Err(KeystoreError::GenerationNotNewer { asked: generation, live });
        }
        let mut next = Vec::with_capacity(staged.len());
        for (id, version, key) in staged {
            self.refuse_tombstoned(id)?;
            if version != self.next_version(id)? {
                return Err(KeystoreError::StagedStale(id));
            }
            // A database's id is the log index of the command that created it.
            let (log_index, round) =
                self.database(id).map_or((id.0, 0), |database| (database.log_index, database.round));
            next.push(DatabaseEntry { id, log_index, round, keys: key.into_iter().collect() });
        }
        next.sort_by_key(|database| database.id);
        if let Some(pair) = next.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(KeystoreError::StagedTwice(pair[0].id));
        }
        let kept = |id| next.binary_search_by_key(&id, |database| database.id).is_ok();
        let gone: Vec<_> =
            self.databases.iter().map(|database| database.id).filter(|id| !kept(*id)).collect();
        for id in gone {
            self.drop_database(id, log_index)?;
        }
        self.databases = next;
        self.generation = generation;
        Ok(())
    }

    /// Forgets the tombstones of databases that were dropped at `up_to` or before.
    pub(crate) fn prune_tombstones(&mut self, up_to: u64) {
        self.tombstones.retain(|tombstone| tombstone.log_index > up_to);
    }

    /// Counts one start.
    pub(crate) fn next_incarnation(&mut self) -> Result<Incarnation, KeystoreError> {
        let next = self.incarnation.0.checked_add(1).ok_or(KeystoreError::Exhausted("incarnation"))?;
        self.incarnation = Incarnation(next);
        Ok(self.incarnation)
    }

    /// Takes out the raft keys older than `version`, which must be there.
    pub(crate) fn retire_raft_keys_before(&mut self, version: KeyVersion) -> Result<(), KeystoreError> {
        if !self.raft.iter().any(|key| key.version == version) {
            return Err(KeystoreError::UnknownRaftKey(version));
        }
        self.raft.retain(|key| key.version >= version);
        Ok(())
    }
}

/// Refuses one key more than a keystore is read with.
fn refuse_more(owner: KeyOwner, keys: &[KeyEntry]) -> Result<(), KeystoreError> {
    if keys.len() < MAX_VERSIONS {
        return Ok(());
    }
    Err(KeystoreError::TooManyVersions { owner, limit: MAX_VERSIONS })
}
