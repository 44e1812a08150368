//! A disk in memory that loses power: what was not synced is there in part or not at all.
//!
//! A file's content is durable once `write_synced` returned, a name once its directory was synced.
//! The operation at which the power goes has happened in memory, and reports a failure; all later
//! ones fail without effect.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use coffer_keyring::keystore::Disk;

type Names = BTreeMap<PathBuf, Vec<u8>>;

#[derive(Default)]
pub struct CrashDisk {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the directory held after its last sync, and after each change of names since.
    images: Vec<Names>,
    /// Operations until the power goes; `None` for never.
    fuse: Option<usize>,
    failed: bool,
    /// Fail this operation once, without a power loss.
    fail_once: Option<&'static str>,
}

impl CrashDisk {
    /// A disk that holds these files.
    pub fn holding(files: Names) -> Self {
        let disk = Self::default();
        disk.state.lock().unwrap().images = vec![files];
        disk
    }

    /// Lets the power go at the operation after `operations` more.
    pub fn lose_power_after(&self, operations: usize) {
        self.state.lock().unwrap().fuse = Some(operations);
    }

    /// Lets one operation of this name fail.
    pub fn fail_once(&self, operation: &'static str) {
        self.state.lock().unwrap().fail_once = Some(operation);
    }

    /// Every content that the disk may have when the power comes back.
    pub fn survivors(&self) -> Vec<Names> {
        self.state.lock().unwrap().images.clone()
    }

    fn change(&self, operation: &'static str, change: impl FnOnce(&mut State, bool)) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.images.is_empty() {
            state.images.push(Names::new());
        }
        if state.failed {
            return Err(io::Error::other("the power is off"));
        }
        if state.fail_once == Some(operation) {
            state.fail_once = None;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let dies = state.fuse == Some(0);
        if let Some(fuse) = &mut state.fuse {
            *fuse = fuse.saturating_sub(1);
        }
        change(&mut state, dies);
        state.failed = dies;
        if dies { Err(io::Error::other("the power goes")) } else { Ok(()) }
    }
}

impl State {
    fn now(&self) -> Names {
        self.images.last().expect("there is at least one").clone()
    }
}

impl Disk for CrashDisk {
    fn read(&self, path: &Path, _: u64) -> io::Result<Option<Vec<u8>>> {
        let state = self.state.lock().unwrap();
        Ok(state.images.last().and_then(|names| names.get(path)).cloned())
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.change("create_dir", |_, _| ())
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.change("write_synced", |state, dies| {
            if dies {
                // Nothing, a part with garbage behind it, or all of it may have reached the disk.
                let mut torn = bytes[..bytes.len() / 2].to_vec();
                torn.resize(bytes.len(), 0);
                for content in [Vec::new(), torn, bytes.to_vec()] {
                    let mut names = state.now();
                    names.insert(path.to_owned(), content);
                    state.images.push(names);
                }
            } else {
                let mut names = state.now();
                names.insert(path.to_owned(), bytes.to_vec());
                state.images.push(names);
            }
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change("rename", |state, _| {
            let mut names = state.now();
            let content = names.remove(from).expect("what is renamed is there");
            names.insert(to.to_owned(), content);
            state.images.push(names);
        })
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.change("sync_dir", |state, dies| {
            if !dies {
                state.images = vec![state.now()];
            }
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change("remove", |state, _| {
            let mut names = state.now();
            names.remove(path);
            state.images.push(names);
        })
    }
}
