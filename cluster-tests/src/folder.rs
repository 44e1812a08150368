//! The folder of one test.
//!
//! Invariant: a folder is removed only by a test that reached its end; whatever else happens, it stays and its path
//! is printed.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// A temporary folder that outlives a failure.
#[derive(Debug)]
pub struct TestFolder {
    path: PathBuf,
    finished: bool,
}

impl TestFolder {
    /// Makes a folder for the test `name` in the system's temporary folder.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let path = tempfile::Builder::new()
            .prefix(&format!("coffer-{name}-"))
            .tempdir()
            .context("making the folder of the test")?
            .keep();
        Ok(Self { path, finished: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the test reached its end, so that the folder may go (`COFFER_TEST_KEEP` set: it stays).
    pub fn finish(&mut self) {
        self.finished = std::env::var_os("COFFER_TEST_KEEP").is_none();
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        if !self.finished {
            eprintln!("kept the folder of the test: {}", self.path.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("could not remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finished_test_loses_its_folder() {
        let mut finished = TestFolder::new("folder-test").unwrap();
        let gone = finished.path().to_owned();
        std::fs::write(gone.join("file"), "x").unwrap();
        finished.finish();
        drop(finished);
        assert_eq!(gone.exists(), std::env::var_os("COFFER_TEST_KEEP").is_some());

        let failed = TestFolder::new("folder-test").unwrap();
        let kept = failed.path().to_owned();
        drop(failed);
        assert!(kept.exists());
        std::fs::remove_dir_all(kept).unwrap();
    }
}
