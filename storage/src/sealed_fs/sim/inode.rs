//! The content of one simulated file: as it is seen, and as it is on stable storage.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::dice::Dice;

/// What the page cache writes back as one.
const PAGE: usize = 4096;
/// What a drive writes as one.
const SECTOR: usize = 512;

/// A file without a name.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) id: u64,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
pub(super) struct Content {
    /// As it is seen.
    pub(super) data: Vec<u8>,
    durable: Vec<u8>,
    /// Pages of `data` that may differ from `durable` and can still be written back.
    dirty: BTreeSet<usize>,
    pub(super) modified: u64,
}

impl Inode {
    /// An empty file of which nothing is durable.
    pub(super) fn new(id: u64) -> Self {
        Self { id, content: Mutex::default() }
    }

    /// A file that is durable as it is.
    pub(super) fn durable(id: u64, data: Vec<u8>) -> Self {
        let content = Content { durable: data.clone(), data, ..Content::default() };
        Self { id, content: Mutex::new(content) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes at an offset, extending the file as need be.
    pub(super) fn write(&self, bytes: &[u8], offset: usize) {
        let content = &mut *self.lock();
        let end = offset + bytes.len();
        let old = content.data.len();
        if end > old {
            content.resize(end);
        }
        content.data[offset..end].copy_from_slice(bytes);
        content.touch(offset, end);
    }

    /// Cuts or extends.
    pub(super) fn truncate(&self, len: usize) {
        let content = &mut *self.lock();
        content.resize(len);
    }
}

impl Content {
    fn touch(&mut self, from: usize, to: usize) {
        if to > from {
            self.dirty.extend(from / PAGE..=(to - 1) / PAGE);
        }
    }

    fn resize(&mut self, len: usize) {
        let old = self.data.len();
        self.data.resize(len, 0);
        if len >= old {
            self.touch(old, len);
        } else {
            self.touch(len.saturating_sub(1), len);
        }
    }

    /// Makes everything durable that can still be written back.
    pub(super) fn sync(&mut self) {
        self.durable.resize(self.data.len(), 0);
        for page in std::mem::take(&mut self.dirty) {
            let from = (page * PAGE).min(self.data.len());
            let to = (from + PAGE).min(self.data.len());
            self.durable[from..to].copy_from_slice(&self.data[from..to]);
        }
    }

    /// A failed sync: the pages are taken for clean, but were not written.
    pub(super) fn lose_dirty_pages(&mut self) {
        self.dirty.clear();
    }

    /// What is found of the file after a power loss.
    pub(super) fn after_power_loss(&self, dice: &mut Dice) -> Vec<u8> {
        let (old, new) = (self.durable.len(), self.data.len());
        let len = match dice.below(4) {
            0 => old,
            1 if new > old => old + dice.below((new - old) as u64) as usize,
            _ => new,
        };
        let mut found = self.durable.clone();
        found.resize(len, 0);
        // Some losses keep nearly all, some nearly nothing.
        let kept = [0, 20, 50, 80, 100][dice.below(5) as usize];
        for page in &self.dirty {
            let torn = dice.chance(10);
            let page_kept = dice.chance(kept);
            let page_end = ((page + 1) * PAGE).min(len).min(new);
            for from in (page * PAGE..page_end).step_by(SECTOR) {
                if if torn { dice.chance(50) } else { page_kept } {
                    let to = (from + SECTOR).min(page_end);
                    found[from..to].copy_from_slice(&self.data[from..to]);
                }
            }
        }
        found
    }
}
