//! Hands a sealed file system to RocksDB.

use std::ffi::c_int;
use std::sync::Arc;

use rocksdb::Env;

use super::adapter::env_over;
use super::disk::Disk;
use super::error::{Result, SealedFsError};
use super::file_system::FileSystem;
use super::key_source::KeySource;

/// Makes the environment of one instance: every file that RocksDB opens through it is sealed under
/// the keys of `keys`, on `disk`; the info log goes to `tracing` with target `rocksdb`.
///
/// * `keys`: `None` turns encryption off: files are as RocksDB writes them, byte for byte.
/// * `background_threads`: low-priority threads (compactions); high-priority ones (flushes) are
///   half as many, at least one. RocksDB has ONE pool for the whole process, whatever the number
///   of environments: an environment costs no thread, and the last call counts.
///
/// The environment keeps `disk` and `keys` until RocksDB lets go of it (options and instances hold
/// it).
///
/// # Errors
/// [`SealedFsError::Layout`] if the linked RocksDB is not the one the adapter was compiled for.
pub fn sealed_env(
    disk: Arc<dyn Disk>,
    keys: Option<Arc<dyn KeySource>>,
    background_threads: c_int,
) -> Result<Env> {
    let mut env = env_over(FileSystem::new(disk, keys)).ok_or(SealedFsError::Layout)?;
    env.set_background_threads(background_threads.max(1));
    env.set_high_priority_background_threads((background_threads / 2).max(1));
    Ok(env)
}
