//! How much memory and disk the storage of a member may use.

use std::{path::PathBuf, sync::Arc};

use coffer_keyring::RaftGeneration;

use crate::sealed_fs::{Disk, RealDisk};

/// The first directory of the Raft log; the beginning of the names of all others.
pub(crate) const RAFT_DIR: &str = "raft";

/// Options of all instances of one member.
#[derive(Clone)]
pub struct StorageOptions {
    /// The member's data directory; it exists and is locked by the caller.
    pub data_dir: PathBuf,
    /// The disk under it; tests put a faulty one here.
    pub disk: Arc<dyn Disk>,
    /// Bytes of the block cache that all instances share.
    pub block_cache_bytes: usize,
    /// Bytes of unflushed writes of all databases together; above it the largest is flushed.
    pub write_buffer_bytes: usize,
    /// Bytes of log that are kept for members that lag; beyond it the log is purged and they get a snapshot.
    pub max_log_bytes: u64,
    /// Bytes of log that a start may have to replay; beyond it all databases are flushed and a checkpoint is recorded.
    pub max_replay_bytes: u64,
    /// Threads for flushes and compactions, shared by all instances.
    pub background_threads: usize,
}

impl StorageOptions {
    /// The defaults, over a directory of the operating system.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            disk: Arc::new(RealDisk),
            // Fits a small machine with three members; a production member is given a third of its memory.
            block_cache_bytes: 64 << 20,
            // A quarter of the replay bound: flushing for memory then rarely outruns the checkpoint.
            write_buffer_bytes: 64 << 20,
            max_log_bytes: 1 << 30,
            max_replay_bytes: 128 << 20,
            background_threads: 2,
        }
    }

    /// Directory of the Raft log's instance: `raft` at first, another one whenever encryption was turned on or off.
    pub fn raft_dir(&self, generation: RaftGeneration) -> PathBuf {
        match generation.0 {
            0 => self.data_dir.join(RAFT_DIR),
            n => self.data_dir.join(format!("{RAFT_DIR}-{n}")),
        }
    }

    /// Directory that holds the generations of the databases.
    pub fn generations_dir(&self) -> PathBuf {
        self.data_dir.join("data")
    }

    /// Directory of one generation.
    pub fn generation_dir(&self, generation: u64) -> PathBuf {
        self.generations_dir().join(generation.to_string())
    }
}
