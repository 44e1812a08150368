//! One run of memory that is locked and left out of core dumps.
//!
//! Invariants:
//! - The mapping lives exactly as long as its [`LockedPage`], and is private and anonymous.
//! - A slot has at most one owner; [`super::slots::Slots`] gives each index out once at a time.
//!   Only its owner writes, and only while no reference to that slot is given out.
#![allow(unsafe_code)]

use std::io;
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags};
use zeroize::Zeroize;

/// Bytes of one page: the size of a memory page on x86-64, and a whole part of larger ones, which
/// the kernel rounds up to.
const PAGE_LEN: usize = 4096;

/// A page of slots of `N` bytes each.
pub(super) struct LockedPage<const N: usize> {
    start: NonNull<[u8; N]>,
}

// SAFETY: the page owns its mapping and has no thread affinity. Shared access to a slot is by
// plain reads; writes are by the one owner of the slot (see the invariants above).
unsafe impl<const N: usize> Send for LockedPage<N> {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for LockedPage<N> {}

impl<const N: usize> LockedPage<N> {
    /// Slots that one page holds.
    pub(super) const SLOTS: usize = PAGE_LEN / N;

    /// Maps a page, keeps it out of core dumps and locks it into memory.
    ///
    /// Returns the page and, where locking was refused, why (most often RLIMIT_MEMLOCK).
    ///
    /// # Errors
    /// When the page cannot be mapped.
    pub(super) fn map() -> io::Result<(Self, Option<io::Error>)> {
        // SAFETY: an anonymous private mapping at an address of the kernel's choice overlaps
        // nothing that exists.
        let address = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                PAGE_LEN,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        let start = NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at null"))?;
        let page = Self { start };
        // SAFETY: the range is the mapping that was just made; the advice changes no content.
        let undumped = unsafe { rustix::mm::madvise(address, PAGE_LEN, Advice::LinuxDontDump) };
        // SAFETY: the range is the mapping that was just made.
        let locked = unsafe { rustix::mm::mlock(address, PAGE_LEN) };
        let trouble = locked.and(undumped).err().map(io::Error::from);
        Ok((page, trouble))
    }

    /// Where a slot begins. It is zeroed or holds what its owner wrote.
    pub(super) fn slot(&self, index: usize) -> NonNull<[u8; N]> {
        assert!(index < Self::SLOTS, "a slot of this page");
        // SAFETY: the index was checked, so the result is inside the mapping.
        unsafe { self.start.add(index) }
    }

    /// Wipes a slot.
    ///
    /// # Safety
    /// The caller owns the slot and no reference to it is alive.
    pub(super) unsafe fn wipe(&self, index: usize) {
        // SAFETY: inside the mapping; exclusive by the caller's promise.
        unsafe { self.slot(index).as_mut() }.zeroize();
    }
}

impl<const N: usize> Drop for LockedPage<N> {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nothing borrows it any more; every owner wiped its slot.
        // Unmapping unlocks too. It can only fail for a range that is not mapped.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), PAGE_LEN) };
    }
}
