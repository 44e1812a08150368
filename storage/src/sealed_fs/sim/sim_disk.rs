//! The simulated disk.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::dice::Dice;
use super::fault::{Fault, FaultKind, OpKind};
use super::gate::Gate;
use super::inode::Inode;
use super::names::{Entry, Names};

/// A disk in memory; clones are the same disk. See the [module](super) for what it models.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    pub(super) syncs: Arc<Gate>,
    pub(super) capacity: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) names: Names,
    faults: Vec<Fault>,
    pub(super) locks: BTreeSet<PathBuf>,
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
        Self { state: Arc::new(Mutex::new(state)), syncs: Arc::default(), capacity }
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

    /// Holds up the syncs of all files whose path contains this, until [`Self::release_syncs`] or
    /// until the power goes.
    pub fn hold_syncs(&self, path_contains: &str) {
        self.syncs.close(path_contains);
    }

    /// Lets held syncs go on.
    pub fn release_syncs(&self) {
        self.syncs.open();
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
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
    pub(super) fn attempt(&self, op: OpKind, path: &Path) -> io::Result<()> {
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
    pub(super) fn take_id(&mut self) -> u64 {
        self.next_inode += 1;
        self.next_inode
    }

    /// The directory that a new name goes to must be there.
    pub(super) fn check_parent(&self, path: &Path) -> io::Result<()> {
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
pub(super) fn normal(path: &Path) -> PathBuf {
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

pub(super) fn file_at(state: &State, path: &Path) -> io::Result<Arc<Inode>> {
    match state.names.get(path) {
        Some(Entry::File(inode)) => Ok(inode.clone()),
        Some(Entry::Dir) => Err(io::ErrorKind::IsADirectory.into()),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}
