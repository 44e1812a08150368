//! What the sealed file system, or a storage engine, asks of a simulated disk.

use std::any::Any;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile, DiskMeta, OpenMode};
use super::fault::OpKind;
use super::inode::Inode;
use super::names::Entry;
use super::sim_disk::{SimDisk, file_at, normal};
use super::sim_file::SimFile;

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let path = normal(path);
        let create = mode == OpenMode::Create;
        self.attempt(if create { OpKind::Create } else { OpKind::Open }, &path)?;
        let mut state = self.state();
        let inode = match file_at(&state, &path) {
            Ok(inode) => {
                if create {
                    inode.truncate(0);
                }
                inode
            }
            Err(e) if create && e.kind() == io::ErrorKind::NotFound => {
                state.check_parent(&path)?;
                let inode = Arc::new(Inode::new(state.take_id()));
                state.names.change(vec![(path.clone(), Some(Entry::File(inode.clone())))]);
                inode
            }
            Err(e) => return Err(e),
        };
        Ok(Arc::new(SimFile { disk: self.clone(), path, inode }))
    }

    fn metadata(&self, path: &Path) -> io::Result<DiskMeta> {
        self.check_power()?;
        let state = self.state();
        match state.names.get(&normal(path)) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Entry::Dir) => {
                Ok(DiskMeta { len: 0, is_dir: true, modified: 0, links: 1, identity: (0, 0) })
            }
            Some(Entry::File(inode)) => {
                let content = inode.lock();
                Ok(DiskMeta {
                    len: content.data.len() as u64,
                    is_dir: false,
                    modified: content.modified,
                    links: state.names.links(inode),
                    identity: (1, inode.id),
                })
            }
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.check_power()?;
        let state = self.state();
        let dir = normal(dir);
        match state.names.get(&dir) {
            Some(Entry::Dir) => {}
            Some(Entry::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        let names = state.names.children(&dir).filter_map(|p| p.file_name());
        Ok(names.map(ToOwned::to_owned).collect())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = normal(dir);
        self.attempt(OpKind::Name, &dir)?;
        let mut state = self.state();
        if state.names.get(&dir).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.check_parent(&dir)?;
        state.names.change(vec![(dir, Some(Entry::Dir))]);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = normal(dir);
        self.attempt(OpKind::Name, &dir)?;
        let mut state = self.state();
        if !matches!(state.names.get(&dir), Some(Entry::Dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.names.children(&dir).next().is_some() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.names.change(vec![(dir, None)]);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        self.attempt(OpKind::Name, &path)?;
        let mut state = self.state();
        file_at(&state, &path)?;
        state.names.change(vec![(path, None)]);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (normal(from), normal(to));
        self.attempt(OpKind::Name, &to)?;
        let mut state = self.state();
        state.check_parent(&to)?;
        match state.names.get(&from).cloned() {
            None => return Err(io::ErrorKind::NotFound.into()),
            Some(Entry::File(inode)) => {
                if from != to {
                    let to = (to, Some(Entry::File(inode)));
                    state.names.change(vec![(from, None), to]);
                }
            }
            Some(Entry::Dir) => {
                // A directory moves with all below it, in one step.
                if state.names.children(&to).next().is_some() {
                    return Err(io::ErrorKind::DirectoryNotEmpty.into());
                }
                let moved: Vec<_> = state
                    .names
                    .iter()
                    .filter_map(|(p, e)| Some((p.clone(), p.strip_prefix(&from).ok()?, e.clone())))
                    .flat_map(|(p, below, e)| {
                        // Joining an empty path would leave a slash behind.
                        let new = if below.as_os_str().is_empty() { to.clone() } else { to.join(below) };
                        [(p, None), (new, Some(e))]
                    })
                    .collect();
                state.names.change(moved);
            }
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (normal(from), normal(to));
        self.attempt(OpKind::Name, &to)?;
        let mut state = self.state();
        state.check_parent(&to)?;
        let inode = file_at(&state, &from)?;
        if state.names.get(&to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.names.change(vec![(to, Some(Entry::File(inode)))]);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = normal(dir);
        self.attempt(OpKind::SyncDir, &dir)?;
        self.state().names.sync_dir(&dir);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send>> {
        let path = normal(path);
        match Disk::metadata(self, &path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.open(&path, OpenMode::Create)?;
            }
            other => {
                other?;
            }
        }
        if !self.state().locks.insert(path.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held { disk: self.clone(), path }))
    }

    fn free_space(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.capacity.saturating_sub(self.used()))
    }
}

/// A lock, released on drop.
struct Held {
    disk: SimDisk,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}
