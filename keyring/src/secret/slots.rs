//! Slots of locked memory, given out one at a time: many secrets need few pages.
//!
//! Invariants:
//! - A slot that is not given out holds zeros.
//! - A slot is given out to one owner at a time.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::page::LockedPage;

/// Slots of `N` bytes. Cheap to clone: clones share the memory. A slot begins at a multiple of `N` from the start of a page.
pub struct Slots<const N: usize> {
    pages: Arc<Mutex<Pages<N>>>,
}

struct Pages<const N: usize> {
    free: Vec<(Arc<LockedPage<N>>, usize)>,
    count: usize,
    unlocked: usize,
}

/// A slot, wiped and given back when it is dropped. What stands in it is not dropped: its owner keeps to what needs none.
pub struct Slot<const N: usize> {
    slots: Slots<N>,
    page: Arc<LockedPage<N>>,
    index: usize,
}

impl<const N: usize> Slots<N> {
    /// No pages yet; they are mapped when they are needed.
    pub fn new() -> Self {
        Self { pages: Arc::new(Mutex::new(Pages { free: Vec::new(), count: 0, unlocked: 0 })) }
    }

    /// A slot of zeros, and why its page, mapped for it, could not be locked.
    ///
    /// # Errors
    /// When the system has no memory to give.
    pub fn take(&self) -> io::Result<(Slot<N>, Option<io::Error>)> {
        let mut pages = self.lock();
        if let Some((page, index)) = pages.free.pop() {
            return Ok((Slot { slots: self.clone(), page, index }, None));
        }
        let (page, trouble) = LockedPage::map()?;
        pages.count += 1;
        pages.unlocked += usize::from(trouble.is_some());
        let page = Arc::new(page);
        pages.free.extend((1..LockedPage::<N>::SLOTS).rev().map(|index| (Arc::clone(&page), index)));
        Ok((Slot { slots: self.clone(), page, index: 0 }, trouble))
    }

    /// Whether every page could be locked into memory so far.
    pub fn is_locked(&self) -> bool {
        self.lock().unlocked == 0
    }

    /// How many pages there are, and how many of them are not locked.
    pub(super) fn pages(&self) -> (usize, usize) {
        let pages = self.lock();
        (pages.count, pages.unlocked)
    }

    /// How many slots are given out, once it is seen that all others hold zeros.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        let pages = self.lock();
        let blank = |(page, index): &(Arc<LockedPage<N>>, usize)| {
            // SAFETY: the slot is given out to nobody, and the lock keeps it so.
            let bytes = unsafe { page.slot(*index).as_ref() };
            bytes == &[0; N]
        };
        assert!(pages.free.iter().all(blank), "a free slot is wiped");
        pages.count * LockedPage::<N>::SLOTS - pages.free.len()
    }

    fn lock(&self) -> MutexGuard<'_, Pages<N>> {
        // A list of free slots is whole after every statement, so a panic elsewhere harms nothing.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const N: usize> Slot<N> {
    /// Where the slot is. Its owner alone may write there, and only while it lends nothing of it.
    pub fn place(&self) -> NonNull<[u8; N]> {
        self.page.slot(self.index)
    }
}

impl<const N: usize> Drop for Slot<N> {
    fn drop(&mut self) {
        // SAFETY: the owner is being dropped, so nothing borrows the bytes.
        unsafe { self.page.wipe(self.index) };
        self.slots.lock().free.push((Arc::clone(&self.page), self.index));
    }
}

impl<const N: usize> Clone for Slots<N> {
    fn clone(&self) -> Self {
        Self { pages: Arc::clone(&self.pages) }
    }
}

impl<const N: usize> Default for Slots<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_zeroed_and_used_again() {
        let slots = Slots::<576>::new();
        let taken: Vec<_> = (0..100).map(|_| slots.take().unwrap().0).collect();
        let places: std::collections::HashSet<_> = taken.iter().map(Slot::place).collect();
        assert_eq!(places.len(), 100, "each is its own");
        assert_eq!(slots.pages().0, 100_usize.div_ceil(7));
        for slot in &taken {
            // SAFETY: the slots are this test's, and nothing else is lent of them.
            unsafe { slot.place().as_ptr().write([0xab; 576]) };
        }
        drop(taken);
        let again: Vec<_> = (0..100).map(|_| slots.take().unwrap().0).collect();
        assert_eq!(slots.pages().0, 100_usize.div_ceil(7), "no new page");
        // SAFETY: as above.
        assert!(again.iter().all(|slot| unsafe { slot.place().as_ref() } == &[0; 576]));
    }
}
