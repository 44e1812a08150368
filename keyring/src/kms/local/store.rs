//! The file of the local KMS: read whole, replaced whole, one writer at a time.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::LocalKmsError;
use super::model::{FORMAT, Model};
use crate::keystore::{Disk, RealDisk};

/// Largest file read: a thousand keys with replicas and material need less than a tenth of it.
const MAX_LEN: u64 = 16 << 20;

#[derive(Clone, Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

impl Store {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the file; `None` when there is none.
    pub(super) fn read(&self) -> Result<Option<Model>, LocalKmsError> {
        let path = self.path();
        let read = RealDisk.read(&path, MAX_LEN);
        let read = read.map_err(|source| LocalKmsError::Io { what: "read", path: path.clone(), source });
        let Some(bytes) = read?.map(Zeroizing::new) else { return Ok(None) };
        let damaged = |detail| LocalKmsError::Damaged { path: path.clone(), detail };
        // The place of the fault only: what stands there may be a key.
        let model: Model = serde_json::from_slice(&bytes).map_err(|error| {
            damaged(format!("no valid content at line {}, column {}", error.line(), error.column()))
        })?;
        if model.format != FORMAT {
            return Err(damaged(format!("its format is {}, and {FORMAT} is known", model.format)));
        }
        Ok(Some(model))
    }

    /// Changes the content, or nothing when `change` refuses. The directory is made if need be.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Model) -> Result<T, LocalKmsError>,
    ) -> Result<T, LocalKmsError> {
        let disk = RealDisk;
        self.io("make", &self.dir, disk.create_dir(&self.dir))?;
        let _lock = self.lock()?;
        let mut model = self.read()?.unwrap_or_else(Model::new);
        let answer = change(&mut model)?;
        let bytes = serde_json::to_vec_pretty(&model).expect("keys of maps are text");
        let bytes = Zeroizing::new(bytes);
        let (path, temporary) = (self.path(), self.dir.join("kms.json.tmp"));
        self.io("write", &temporary, disk.write_synced(&temporary, &bytes))?;
        self.io("replace", &path, disk.rename(&temporary, &path))?;
        self.io("sync", &self.dir, disk.sync_dir(&self.dir))?;
        Ok(answer)
    }

    /// Waits for the lock; it goes with the file that is returned.
    fn lock(&self) -> Result<File, LocalKmsError> {
        let path = self.dir.join("LOCK");
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = self.io("open", &path, open)?;
        self.io("lock", &path, file.lock())?;
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.dir.join("kms.json")
    }

    fn io<T>(&self, what: &'static str, path: &Path, result: io::Result<T>) -> Result<T, LocalKmsError> {
        result.map_err(|source| LocalKmsError::Io { what, path: path.to_owned(), source })
    }
}
