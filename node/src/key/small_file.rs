//! Small files beside the keystore, replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest such file that is read.
const MAX_BYTES: u64 = 64 * 1024;

/// A JSON file that is replaced as a whole, so that a crash leaves the old or the new one.
#[derive(Clone, Debug)]
pub(super) struct SmallFile(PathBuf);

impl SmallFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What is in it; `None` where there is none.
    pub(super) fn read<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes)?;
        serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from)
    }

    /// Puts `content` in its place, on stable storage.
    pub(super) fn replace<T: Serialize>(&self, content: &T) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(content).map_err(io::Error::from)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        self.sync_dir()
    }

    /// Removes it, if it is there.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Ok(()) => self.sync_dir(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the directory that it belongs in is there.
    pub(super) fn has_place(&self) -> bool {
        self.0.parent().is_some_and(Path::is_dir)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.0.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    }
}
