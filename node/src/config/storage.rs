//! `[storage]`: where the data is, and what it may take.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Problems, Size, Span};

/// Where the data is, and what it may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSection {
    /// The data directory of this member and of no other; made if it is missing.
    pub data_dir: PathBuf,
    /// Memory for blocks read, shared by all databases.
    pub block_cache: Size,
    /// Memory for what is not in database files yet, shared by all databases.
    pub write_buffers: Size,
    /// The Raft log is bounded to this; a member that is further behind gets a snapshot.
    pub max_log_size: Size,
    /// How much log a start may have to replay; beyond it databases are flushed.
    pub max_replay_size: Size,
    /// Threads for flushes and compactions.
    pub background_threads: usize,
    /// How often the leader has all members hash a database, one after the other, and compares; 0s: never.
    pub compare_interval: Span,
}

impl Default for StorageSection {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::new(),
            block_cache: Size::mib(64),
            write_buffers: Size::mib(64),
            max_log_size: Size::mib(1024),
            max_replay_size: Size::mib(128),
            background_threads: 2,
            compare_interval: Span::secs(3600),
        }
    }
}

impl StorageSection {
    /// `<data_dir>/keyring`.
    pub fn keyring_dir(&self) -> PathBuf {
        self.data_dir.join("keyring")
    }

    /// `<data_dir>/keyring/keystore.json`.
    pub fn keystore(&self) -> PathBuf {
        self.keyring_dir().join("keystore.json")
    }

    /// Notes what is wrong.
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.unless(
            self.data_dir != Path::new(""),
            "storage.data_dir",
            "it is not set: name the directory of this member's data, here or with --data-dir",
        );
        let at_least = |size: Size, least: Size, key: &str, problems: &mut Problems| {
            problems.unless(size >= least, key, format_args!("{size} is too little: {least} is the least"));
        };
        // The least of each lets one entry of the largest size (one 16 MiB document and its frame) pass.
        at_least(self.block_cache, Size::mib(1), "storage.block_cache", problems);
        at_least(self.write_buffers, Size::mib(8), "storage.write_buffers", problems);
        at_least(self.max_log_size, Size::mib(32), "storage.max_log_size", problems);
        at_least(self.max_replay_size, Size::mib(1), "storage.max_replay_size", problems);
        problems.unless(
            self.max_replay_size <= self.max_log_size,
            "storage.max_replay_size",
            "what is replayed is in the log: it cannot be more than storage.max_log_size",
        );
        problems.unless(
            (1..=64).contains(&self.background_threads),
            "storage.background_threads",
            "1 to 64 are possible",
        );
    }
}
