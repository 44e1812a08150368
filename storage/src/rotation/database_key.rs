//! Rotation of a database's key: the next file is under the new key, the others are rewritten in the background.

use std::{collections::BTreeSet, path::PathBuf, sync::atomic::Ordering};

use coffer_keyring::{DatabaseId, KeyOwner, KeyVersion};
use rocksdb::WriteOptions;

use super::DatabaseKeyProgress;
use crate::{
    engine::{Engine, database_dir},
    error::StorageError,
    instance::{
        DatabaseInstance,
        rewrite::{Leftovers, begin_new_files, compact, remove_unused},
    },
    sealed_fs::{SealedFile, sealed_files},
};

/// What a rewrite waits for where only a view of an older state needs old files.
const PINNED: &str = "a view of the database that is being read: a snapshot that is sent, or a query";

impl Engine {
    /// Gives a database a new key, unless its key is of `round` or a later one already. New files are under it at once;
    /// the others are rewritten in the background, also after a restart. Blocks for a replacement of the keystore.
    ///
    /// # Errors
    /// The database does not exist, a snapshot is being received ([`StorageError::Busy`]: ask again later), or the
    /// keystore cannot be replaced.
    pub fn rotate_database_key(&self, id: DatabaseId, round: u64) -> Result<(), StorageError> {
        let _structure = self.structure();
        self.instance(id)?;
        if self.keyring.database_round(id) >= round {
            return Ok(());
        }
        // A staged generation has its keys already: the versions that follow those of now.
        let _place =
            self.staging.take().ok_or(StorageError::Busy("a snapshot is being received or installed"))?;
        self.keyring.add_database_key(id, round)?;
        self.keys_pending.store(true, Ordering::Release);
        Ok(())
    }

    /// How far the rotation of a database's key is. Blocks for a look at its files while one is under way.
    ///
    /// # Errors
    /// The database does not exist, or the disk fails.
    pub fn database_key_progress(&self, id: DatabaseId) -> Result<DatabaseKeyProgress, StorageError> {
        let instance = self.instance(id)?;
        let round = self.keyring.database_round(id);
        let versions = self.database_versions(id);
        let newest = versions.last().copied();
        let mut progress = DatabaseKeyProgress {
            round,
            version: newest.unwrap_or(KeyVersion::FIRST),
            versions_in_use: versions,
            percent: 100,
            waiting_for: None,
        };
        let Some(newest) = newest.filter(|_| progress.versions_in_use.len() > 1) else { return Ok(progress) };
        let files = match self.files_of(id) {
            Err(_) if instance.is_closed() => return Err(StorageError::DatabaseNotFound(id)),
            files => files?,
        };
        let (mut new, mut all) = (0, 0);
        for file in files.iter().filter(|file| file.path.extension().is_some_and(|e| e == "sst")) {
            all += file.len;
            new += if is_old(file, newest) { 0 } else { file.len };
        }
        // Hundred is said when the old keys are gone.
        progress.percent = u32::try_from((new * 100).checked_div(all).unwrap_or(0)).unwrap_or(0).min(99);
        let old = old_files(&files, newest);
        let leftovers = Leftovers::of(instance.db(), &old).map_err(|error| instance.engine(error))?;
        if leftovers == (Leftovers { pinned: true, ..Leftovers::default() }) {
            progress.waiting_for = Some(PINNED);
        }
        Ok(progress)
    }

    /// One step of all rewrites of databases that are under way, one after the other. Blocks for as long as they take.
    ///
    /// # Errors
    /// The disk fails: the member has to stop.
    pub(crate) fn rewrite_databases(&self) -> Result<(), StorageError> {
        if !self.keys_pending.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let report = self.keyring.report();
        for database in report.databases.iter().filter(|database| database.keys.len() > 1) {
            // Said again until none is left.
            self.keys_pending.store(true, Ordering::Release);
            if self.look_through(database.id)? && !self.is_stopping() {
                let _turn = self.rewrite_turn();
                let Ok(instance) = self.instance(database.id) else { continue };
                compact(instance.db());
            }
        }
        Ok(())
    }

    /// Destroys the old keys of a database if no file needs them, else begins new files where that helps. Answers whether
    /// a compaction would.
    fn look_through(&self, id: DatabaseId) -> Result<bool, StorageError> {
        // Neither a drop nor a snapshot takes the instance away meanwhile.
        let _structure = self.structure();
        let Ok(instance) = self.instance(id) else { return Ok(false) };
        let Some(newest) = self.database_versions(id).last().copied() else { return Ok(false) };
        let old = old_files(&self.files_of(id)?, newest);
        if old.is_empty() {
            self.keyring.retire_database_keys(id, &BTreeSet::from([newest]))?;
            return Ok(false);
        }
        let leftovers = Leftovers::of(instance.db(), &old).map_err(|error| instance.engine(error))?;
        if leftovers.others {
            begin_new_database_files(&instance)?;
            return Ok(true);
        }
        if !leftovers.tables {
            remove_unused(instance.db()).map_err(|error| instance.engine(error))?;
        }
        Ok(leftovers.tables)
    }

    fn files_of(&self, id: DatabaseId) -> Result<Vec<SealedFile>, StorageError> {
        let dir = self.options.generation_dir(self.keyring.generation().0).join(database_dir(id));
        Ok(sealed_files(&**self.opener.disk(), &dir)?)
    }

    fn database_versions(&self, id: DatabaseId) -> Vec<KeyVersion> {
        self.keyring.versions(KeyOwner::Database(id))
    }
}

fn begin_new_database_files(instance: &DatabaseInstance) -> Result<(), StorageError> {
    begin_new_files(instance.db(), instance.name(), |batch| {
        // Through the WAL, which a database has but never uses: an empty one would not be replaced.
        let written = instance.db().write_opt(batch, &WriteOptions::default());
        written.map_err(|error| instance.engine(error))
    })
}

/// Whether a file keeps an older key than `newest` from being destroyed.
pub(super) fn is_old(file: &SealedFile, newest: KeyVersion) -> bool {
    file.key_version.is_none_or(|version| version < newest.0)
}

pub(super) fn old_files(files: &[SealedFile], newest: KeyVersion) -> Vec<PathBuf> {
    files.iter().filter(|file| is_old(file, newest)).map(|file| file.path.clone()).collect()
}
