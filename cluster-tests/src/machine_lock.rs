//! One replica set at a time on this machine.
//!
//! Three members and a load keep two cores busy; two replica sets at once would only make each other slow, and a test
//! that is slow for that reason fails for no reason. The lock is a file lock, so it holds between the threads of one
//! test program and between programs, and goes with the process that dies.

use std::fs::{File, OpenOptions};

use anyhow::Context;
use rustix::fs::{FlockOperation, flock};

/// The right to run a replica set, until it is dropped.
#[derive(Debug)]
pub struct MachineLock {
    _file: File,
}

impl MachineLock {
    /// Waits until no other test runs a replica set. Blocks.
    ///
    /// # Errors
    /// Where the lock file cannot be made.
    pub fn take() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join("coffer-cluster-tests.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        flock(&file, FlockOperation::LockExclusive).with_context(|| format!("locking {}", path.display()))?;
        Ok(Self { _file: file })
    }
}
