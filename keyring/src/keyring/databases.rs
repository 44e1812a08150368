//! The keys of databases: they come, are staged, rotated and destroyed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::events::{created, creation, destruction, named};
use super::{Keyring, insert};
use crate::audit::{AuditAction, AuditEvent, AuditedKey};
use crate::keystore::{DatabaseEntry, KeystoreBody, KeystoreError};
use crate::{DatabaseId, Generation, KeyOwner, KeyVersion, StagedKey};

impl Keyring {
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
        let key = self.make_key(&writer, KeyOwner::Database(database), body.first_version()?)?;
        let keys = self.wrap_keys(&writer, key.iter())?;
        body.add_database(DatabaseEntry { id: database, log_index, round: 0, keys })?;
        let events = created(key.as_deref());
        self.commit(&mut writer, body, events, |keys| {
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
        let destroyed = database_keys(&body, database);
        body.drop_database(database, log_index)?;
        let mut events = vec![AuditEvent::new(AuditAction::DatabaseDropped { database, log_index })];
        events.extend(destruction(&destroyed));
        self.commit(&mut writer, body, events, |keys| {
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
        self.commit(&mut writer, body, Vec::new(), |_| ())
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
            let entry = self.wrap_keys(&writer, staged.key().iter())?.pop();
            entries.push((staged.database(), staged.version(), entry));
        }
        let old = self.body();
        body.switch_generation(generation, entries, log_index)?;
        let mut events = vec![AuditEvent::new(AuditAction::GenerationSwitched { generation })];
        let made: Vec<_> = staged.iter().filter_map(StagedKey::key).map(|key| named(&key)).collect();
        events.extend(creation(&made));
        let destroyed: Vec<_> =
            old.databases.iter().flat_map(|database| database_keys(&old, database.id)).collect();
        events.extend(destruction(&destroyed));
        let gone = old.databases.iter().map(|database| database.id);
        events.extend(
            gone.filter(|id| body.database(*id).is_none())
                .map(|database| AuditEvent::new(AuditAction::DatabaseDropped { database, log_index })),
        );
        self.commit(&mut writer, body, events, |keys| {
            keys.retain(|owner, _| *owner == KeyOwner::Raft);
            for key in staged.iter().filter_map(StagedKey::key) {
                insert(keys, key);
            }
        })
    }

    /// Adds a new key to a database, which is the current one from now on, and notes the round that it is of; the older
    /// ones stay until [`Keyring::retire_database_keys`]. Its version is returned. With encryption off only the round is
    /// noted, and version 1 is returned.
    ///
    /// # Errors
    /// [`KeystoreError::Tombstoned`], [`KeystoreError::UnknownDatabase`], [`KeystoreError::TooManyVersions`], or when no
    /// key can be made or the disk fails.
    pub fn add_database_key(&self, database: DatabaseId, round: u64) -> Result<KeyVersion, KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        body.refuse_tombstoned(database)?;
        let version = body.next_version(database)?;
        let key = self.make_key(&writer, KeyOwner::Database(database), version)?;
        let entry = self.wrap_keys(&writer, key.iter())?.pop();
        body.add_database_key(database, entry, round)?;
        let events = created(key.as_deref());
        self.commit(&mut writer, body, events, |keys| {
            if let Some(key) = key {
                insert(keys, key);
            }
        })?;
        Ok(version)
    }

    /// Destroys the keys of a database that no file needs: all but those in `needed` and the newest one. The versions
    /// that were destroyed are returned.
    ///
    /// # Errors
    /// [`KeystoreError::UnknownDatabase`], or when the disk fails.
    pub fn retire_database_keys(
        &self,
        database: DatabaseId,
        needed: &BTreeSet<KeyVersion>,
    ) -> Result<Vec<KeyVersion>, KeystoreError> {
        let mut writer = self.writer();
        let mut body = self.body();
        let gone = body.retire_database_keys(database, needed)?;
        if gone.is_empty() {
            return Ok(gone);
        }
        let owner = KeyOwner::Database(database);
        let destroyed: Vec<_> = gone.iter().map(|version| AuditedKey::of(owner, *version)).collect();
        self.commit(&mut writer, body, destruction(&destroyed), |keys| {
            if let Some(versions) = keys.get_mut(&owner) {
                versions.retain(|version, _| !gone.contains(version));
            }
        })?;
        Ok(gone)
    }
}

/// The keys of a database, as the audit log names them.
fn database_keys(body: &KeystoreBody, id: DatabaseId) -> Vec<AuditedKey> {
    let keys = body.database(id).into_iter().flat_map(|database| &database.keys);
    keys.map(|key| AuditedKey::of(KeyOwner::Database(id), key.version)).collect()
}
