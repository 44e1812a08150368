//! The simulated disk.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::disk::{Disk, DiskFile, DiskMeta, OpenMode};
use super::dice::Dice;
use super::fault::{Fault, FaultKind, OpKind};
use super::inode::Inode;
use super::names::{Entry, Names};
use super::sim_file::SimFile;

/// A disk in memory; clones are the same disk. See the [module](super) for what it models.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    capacity: u64,
}

#[derive(Debug, Default)]
struct State {
    names: Names,
    faults: Vec<Fault>,
    locks: BTreeSet<PathBuf>,
    next_inode: u64,
    /// Operations so far that change the disk.
    mutations: u64,
    /// The power goes when this many mutations have happened.
    power_until: Option<u64>,
    off: bool,
    /// Grows with each write: a clock of its own.
    clock: u64,
}

impl SimDisk {
    /// An empty disk of `capacity` bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self::holding(BTreeMap::new(), capacity, 0)
    }

    fn holding(names: BTreeMap<PathBuf, Entry>, capacity: u64, next_inode: u64) -> Self {
        let mut names = names;
        names.entry(PathBuf::from("/")).or_insert(Entry::Dir);
        let state = State { names: Names::durable(names), next_inode, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), capacity }
    }

    /// Takes the power: this disk fails from now on, and the disk that is found afterwards is
    /// returned, the same one for the same seed and history. Faults and locks are gone.
    #[must_use]
    pub fn power_loss(&self, seed: u64) -> Self {
        self.reborn(
            |names, dice| names.after_power_loss(dice),
            |inode, dice| inode.lock().after_power_loss(dice),
            seed,
        )
    }

    /// Takes the machine but not its memory (a killed process): this disk fails from now on; the
    /// one that is returned holds all that was written, synced or not.
    #[must_use]
    pub fn kill(&self) -> Self {
        self.reborn(
            |names, _| names.iter().map(|(p, e)| (p.clone(), e.clone())).collect(),
            |inode, _| inode.lock().data.clone(),
            0,
        )
    }

    fn reborn(
        &self,
        names: impl FnOnce(&Names, &mut Dice) -> BTreeMap<PathBuf, Entry>,
        content: impl Fn(&Inode, &mut Dice) -> Vec<u8>,
        seed: u64,
    ) -> Self {
        let mut state = self.state();
        state.off = true;
        let mut dice = Dice::new(seed);
        let mut made: BTreeMap<u64, Arc<Inode>> = BTreeMap::new();
        let mut found = names(&state.names, &mut dice);
        for entry in found.values_mut() {
            if let Entry::File(inode) = entry {
                let same = made.entry(inode.id).or_insert_with(|| {
                    let data = content(inode, &mut dice);
                    Arc::new(Inode::durable(inode.id, data))
                });
                *entry = Entry::File(same.clone());
            }
        }
        Self::holding(found, self.capacity, state.next_inode)
    }

    /// Adds a fault to strike later operations.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Removes all faults; a power cut that is due stays.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// How many operations have changed the disk, or tried to, so far.
    #[must_use]
    pub fn mutations(&self) -> u64 {
        self.state().mutations
    }

    /// Cuts the power when `mutations` operations in all have changed the disk: every operation
    /// after that fails. [`Self::power_loss`] then tells what is found.
    pub fn cut_power_at(&self, mutations: u64) {
        self.state().power_until = Some(mutations);
    }

    /// Bytes in all files that have a name.
    #[must_use]
    pub fn used(&self) -> u64 {
        let state = self.state();
        let mut seen = BTreeSet::new();
        let mut used = 0;
        for (_, entry) in state.names.iter() {
            if let Entry::File(inode) = entry
                && seen.insert(inode.id)
            {
                used += inode.lock().data.len() as u64;
            }
        }
        used
    }

    /// All files, sorted by path.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.state();
        let files = state.names.iter().filter(|(_, e)| matches!(e, Entry::File(_)));
        files.map(|(path, _)| path.clone()).collect()
    }

    /// The bytes of a file as they are seen now.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let inode = file_at(&self.state(), &normal(path))?;
        let data = inode.lock().data.clone();
        Ok(data)
    }

    /// Puts other bytes in a file's place, durable at once: how tests tamper. Makes the file, and
    /// the directories above it, if need be.
    pub fn write_file(&self, path: &Path, data: Vec<u8>) {
        let mut state = self.state();
        let path = normal(path);
        let id = state.take_id();
        let inode = Arc::new(Inode::durable(id, data));
        for dir in path.ancestors().skip(1) {
            if state.names.get(dir).is_none() {
                state.names.change(vec![(dir.to_owned(), Some(Entry::Dir))]);
            }
        }
        state.names.change(vec![(path, Some(Entry::File(inode.clone())))]);
        state.names.sync_file(&inode);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation: an error when the power is off, else the fault that strikes it.
    pub(super) fn operate(&self, op: OpKind, path: &Path) -> io::Result<Option<FaultKind>> {
        let state = &mut *self.state();
        if op.mutates() {
            if state.power_until.is_some_and(|until| state.mutations >= until) {
                state.off = true;
            }
            state.mutations += 1;
            state.clock += 1;
        }
        if state.off {
            return Err(power_is_off());
        }
        Ok(state.faults.iter_mut().find_map(|f| f.strikes(op, path).then_some(f.kind)))
    }

    /// As [`Self::operate`] for operations that a fault stops altogether.
    fn attempt(&self, op: OpKind, path: &Path) -> io::Result<()> {
        match self.operate(op, path)? {
            Some(fault) => Err(fault.error()),
            None => Ok(()),
        }
    }

    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.state().off { Err(power_is_off()) } else { Ok(()) }
    }

    /// Is there room for so many bytes more?
    pub(super) fn reserve(&self, bytes: u64) -> io::Result<()> {
        if bytes > 0 && self.used().saturating_add(bytes) > self.capacity {
            return Err(FaultKind::Enospc.error());
        }
        Ok(())
    }

    pub(super) fn now(&self) -> u64 {
        self.state().clock
    }

    pub(super) fn sync_names_of(&self, inode: &Arc<Inode>) {
        self.state().names.sync_file(inode);
    }
}

impl State {
    fn take_id(&mut self) -> u64 {
        self.next_inode += 1;
        self.next_inode
    }

    /// The directory that a new name goes to must be there.
    fn check_parent(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|dir| self.names.get(dir)) {
            Some(Entry::Dir) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

/// One spelling for each path: absolute, without `.`, `..` or doubled slashes.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            _ => {}
        }
    }
    out
}

fn file_at(state: &State, path: &Path) -> io::Result<Arc<Inode>> {
    match state.names.get(path) {
        Some(Entry::File(inode)) => Ok(inode.clone()),
        Some(Entry::Dir) => Err(io::ErrorKind::IsADirectory.into()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

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
