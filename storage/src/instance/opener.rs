//! Opens RocksDB the same way for every instance: sealed, hardened, and on memory that all instances share.

use std::{path::Path, sync::Arc};

use rocksdb::{BlockBasedOptions, Cache, DB, DBCompressionType, Options, WriteBufferManager};

use crate::{
    StorageOptions,
    error::StorageError,
    sealed_fs::{self, Disk, InstanceState, KeySource},
};

/// What an instance is for, which decides how it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenKind {
    /// The Raft log: written through a WAL that is flushed and synced by hand, once for a group.
    Log,
    /// A database: no WAL, because the Raft log is its WAL.
    Database,
}

/// What the instances share.
pub struct Opener {
    disk: Arc<dyn Disk>,
    cache: Cache,
    write_buffers: WriteBufferManager,
    background_threads: i32,
    encryption: bool,
}

/// A log is read a few times, in order, and soon purged: its memtable is as large as a WAL that is quick to replay.
const LOG_MEMTABLE_BYTES: usize = 32 << 20;

/// A database flushes by itself only beyond this; before that our own checkpointer flushes it.
const DATABASE_MEMTABLE_BYTES: usize = 64 << 20;

/// Memtables grow by this. RocksDB's own choice is an eighth of the memtable, up to 1 MiB, for every idle database.
const ARENA_BLOCK_BYTES: usize = 64 << 10;

/// A MANIFEST is replaced beyond this: a start reads it whole.
pub const MANIFEST_BYTES: usize = 4 << 20;

/// Unit of a read that misses the cache; a multiple of the 4 KiB that are sealed together.
const BLOCK_BYTES: usize = 8 << 10;

impl Opener {
    /// Makes what is shared. With `encryption` false files are plain.
    pub fn new(options: &StorageOptions, encryption: bool) -> Self {
        let cache = Cache::new_lru_cache(options.block_cache_bytes);
        Self {
            disk: options.disk.clone(),
            // Never stalls a write: an apply must not wait for an instance that nobody flushes. Twice our own bound,
            // so that it only steps in where the checkpointer is late.
            write_buffers: WriteBufferManager::new_write_buffer_manager(
                options.write_buffer_bytes.saturating_mul(2),
                false,
            ),
            cache,
            background_threads: i32::try_from(options.background_threads).unwrap_or(i32::MAX).max(1),
            encryption,
        }
    }

    /// The disk under all instances.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Bytes in the memtables of all databases.
    pub fn write_buffer_usage(&self) -> usize {
        self.write_buffers.get_usage()
    }

    /// Options of an instance whose files get their keys from `keys`.
    ///
    /// # Errors
    /// The environment cannot be made.
    pub fn options(&self, kind: OpenKind, keys: Arc<dyn KeySource>) -> Result<Options, StorageError> {
        let env = sealed_fs::sealed_env(
            self.disk.clone(),
            self.encryption.then_some(keys),
            self.background_threads,
        )?;
        let mut options = Options::default();
        options.set_env(&env);
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_block_size(BLOCK_BYTES);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_bloom_filter(10.0, false);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_arena_block_size(ARENA_BLOCK_BYTES);
        options.set_max_background_jobs(self.background_threads);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        options.set_max_open_files(256);
        options.set_max_manifest_file_size(MANIFEST_BYTES);
        match kind {
            OpenKind::Log => {
                options.set_write_buffer_size(LOG_MEMTABLE_BYTES);
                options.set_manual_wal_flush(true);
                sealed_fs::harden_options(&mut options);
            }
            OpenKind::Database => {
                options.set_write_buffer_size(DATABASE_MEMTABLE_BYTES);
                options.set_write_buffer_manager(&self.write_buffers);
                sealed_fs::harden_options(&mut options);
                sealed_fs::allow_missing_wal(&mut options);
            }
        }
        Ok(options)
    }

    /// Opens the instance in `dir`. `create` allows a new one.
    ///
    /// # Errors
    /// The directory is missing, damaged, under other keys, or the disk fails.
    pub fn open(
        &self,
        kind: OpenKind,
        dir: &Path,
        keys: Arc<dyn KeySource>,
        create: bool,
    ) -> Result<DB, StorageError> {
        let instance = instance_name(dir);
        if create {
            create_dirs(&*self.disk, dir)?;
        }
        // RocksDB reports a wrong key as an invalid argument; this says what it is.
        let state = sealed_fs::check_instance(self.disk.clone(), self.encryption.then(|| keys.clone()), dir)?;
        if state == InstanceState::Absent && !create {
            return Err(StorageError::PutBack { what: format!("{instance} is missing") });
        }
        self.remove_temporaries(dir)?;
        let mut options = self.options(kind, keys)?;
        options.create_if_missing(create);
        DB::open(&options, dir).map_err(|source| StorageError::Engine { instance, source })
    }
}

impl Opener {
    /// Removes what a crash left half made. RocksDB never removes a temporary OPTIONS file, and it would keep the key
    /// that seals it from being destroyed.
    fn remove_temporaries(&self, dir: &Path) -> Result<(), StorageError> {
        let list = |error| StorageError::io(format!("list {}", dir.display()), error);
        let names = match self.disk.list(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            names => names.map_err(list)?,
        };
        for name in names {
            let path = dir.join(name);
            if path.extension().is_some_and(|extension| extension == "dbtmp") {
                self.disk
                    .remove(&path)
                    .map_err(|error| StorageError::io(format!("remove {}", path.display()), error))?;
            }
        }
        Ok(())
    }
}

/// How an instance is called in messages: the end of its path.
pub fn instance_name(dir: &Path) -> String {
    let parts: Vec<_> = dir.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
    match parts.as_slice() {
        [last, ..] if last == "raft" || last.starts_with("raft-") => "raft".to_owned(),
        [last, parent, ..] => format!("data/{parent}/{last}"),
        _ => dir.display().to_string(),
    }
}

/// Makes a directory and those above it, each durable in its parent.
///
/// # Errors
/// The disk refuses.
pub fn create_dirs(disk: &dyn Disk, dir: &Path) -> Result<(), StorageError> {
    match disk.metadata(dir) {
        Ok(meta) if meta.is_dir => return Ok(()),
        Ok(_) => {
            return Err(StorageError::io(
                format!("{} is in the way", dir.display()),
                std::io::ErrorKind::NotADirectory.into(),
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(StorageError::io(format!("look at {}", dir.display()), error)),
    }
    if let Some(parent) = dir.parent() {
        create_dirs(disk, parent)?;
        disk.create_dir(dir)
            .and_then(|()| disk.sync_dir(parent))
            .map_err(|error| StorageError::io(format!("create {}", dir.display()), error))?;
    }
    Ok(())
}

/// Removes a directory with all that is in it.
///
/// # Errors
/// The disk refuses; what is already gone is fine.
pub fn remove_tree(disk: &dyn Disk, dir: &Path) -> Result<(), StorageError> {
    let fail = |what: &Path, error| StorageError::io(format!("remove {}", what.display()), error);
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(dir, error)),
    };
    for name in names {
        let path = dir.join(name);
        let meta = disk.metadata(&path).map_err(|error| fail(&path, error))?;
        if meta.is_dir {
            remove_tree(disk, &path)?;
        } else {
            disk.remove(&path).map_err(|error| fail(&path, error))?;
        }
    }
    disk.remove_dir(dir).map_err(|error| fail(dir, error))?;
    if let Some(parent) = dir.parent() {
        disk.sync_dir(parent).map_err(|error| fail(dir, error))?;
    }
    Ok(())
}
