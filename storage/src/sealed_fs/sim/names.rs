//! The names on a simulated disk: as they are seen, as they are on stable storage, and the changes
//! between the two.
//!
//! Invariant: applying all pending changes, in order, to the durable names gives the seen ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::dice::Dice;
use super::inode::Inode;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Dir,
    File(Arc<Inode>),
}

/// Names that change in one step; `None` removes.
type Change = Vec<(PathBuf, Option<Entry>)>;

/// All names of a disk.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<PathBuf, Entry>,
    durable: BTreeMap<PathBuf, Entry>,
    pending: Vec<Change>,
}

fn apply(names: &mut BTreeMap<PathBuf, Entry>, change: &Change) {
    for (path, entry) in change {
        match entry {
            Some(entry) => names.insert(path.clone(), entry.clone()),
            None => names.remove(path),
        };
    }
}

impl Names {
    /// Names that are durable as they are.
    pub(super) fn durable(names: BTreeMap<PathBuf, Entry>) -> Self {
        Self { seen: names.clone(), durable: names, pending: Vec::new() }
    }

    pub(super) fn get(&self, path: &Path) -> Option<&Entry> {
        self.seen.get(path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &Entry)> {
        self.seen.iter()
    }

    /// Names directly in a directory.
    pub(super) fn children<'a>(&'a self, dir: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.seen.keys().filter(move |path| path.parent() == Some(dir))
    }

    pub(super) fn links(&self, inode: &Arc<Inode>) -> u64 {
        let same = |e: &&Entry| matches!(e, Entry::File(other) if Arc::ptr_eq(other, inode));
        self.seen.values().filter(same).count() as u64
    }

    /// Changes names in one step, not yet durable.
    pub(super) fn change(&mut self, change: Change) {
        apply(&mut self.seen, &change);
        self.pending.push(change);
    }

    /// Makes all changes in a directory durable, the directory's own making included.
    pub(super) fn sync_dir(&mut self, dir: &Path) {
        let mut touched: BTreeSet<PathBuf> = dir.ancestors().map(Path::to_owned).collect();
        for change in &self.pending {
            touched.extend(change.iter().map(|(p, _)| p).filter(|p| p.parent() == Some(dir)).cloned());
        }
        self.make_durable(touched);
    }

    /// Makes a file's names durable, as syncing a file does.
    pub(super) fn sync_file(&mut self, inode: &Arc<Inode>) {
        let mut touched = BTreeSet::new();
        for (path, entry) in self.pending.iter().flatten() {
            if matches!(entry, Some(Entry::File(other)) if Arc::ptr_eq(other, inode)) {
                touched.extend(path.ancestors().map(Path::to_owned));
            }
        }
        if !touched.is_empty() {
            self.make_durable(touched);
        }
    }

    /// Applies the pending changes of these names, and of whatever names they hang together with.
    fn make_durable(&mut self, mut touched: BTreeSet<PathBuf>) {
        // Two changes of one name are never applied out of order, so the set grows until it holds.
        loop {
            let before = touched.len();
            for change in &self.pending {
                if change.iter().any(|(path, _)| touched.contains(path)) {
                    touched.extend(change.iter().map(|(path, _)| path.clone()));
                }
            }
            if touched.len() == before {
                break;
            }
        }
        for change in std::mem::take(&mut self.pending) {
            if change.iter().any(|(path, _)| touched.contains(path)) {
                apply(&mut self.durable, &change);
            } else {
                self.pending.push(change);
            }
        }
    }

    /// The names found after a power loss: any selection of the pending changes happened.
    pub(super) fn after_power_loss(&self, dice: &mut Dice) -> BTreeMap<PathBuf, Entry> {
        let mut found = self.durable.clone();
        let kept = [0, 20, 50, 80, 100][dice.below(5) as usize];
        for change in &self.pending {
            if dice.chance(kept) {
                apply(&mut found, change);
            }
        }
        // What is in a directory that was not kept keeps it.
        let dirs: BTreeSet<PathBuf> =
            found.keys().flat_map(|p| p.ancestors().skip(1)).map(Path::to_owned).collect();
        for dir in dirs {
            found.entry(dir).or_insert(Entry::Dir);
        }
        found
    }
}
