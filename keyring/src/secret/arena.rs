//! Where keys live: pages of slots, so that a thousand keys need eight locked pages and not a
//! thousand (`ulimit -l` is 64 KiB or 8 MiB on common systems).
//!
//! Invariants:
//! - A slot that is not given out holds zeros.
//! - A slot is given out to one key at a time.
#![allow(unsafe_code)]

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use zeroize::{Zeroize, Zeroizing};

use super::page::{LockedPage, SLOTS};
use super::{KEY_LEN, SecretKey};

/// The memory of a set of keys. Cheap to clone: clones share the memory.
#[derive(Clone, Default)]
pub struct SecretArena {
    pages: Arc<Mutex<Pages>>,
}

#[derive(Default)]
struct Pages {
    free: Vec<Slot>,
    count: usize,
    unlocked: usize,
}

/// A slot of a page.
pub(super) struct Slot {
    page: Arc<LockedPage>,
    index: usize,
}

impl Slot {
    pub(super) fn bytes(&self) -> &[u8; KEY_LEN] {
        self.page.bytes(self.index)
    }
}

impl SecretArena {
    /// An arena without pages; they are mapped when they are needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a random key from the system's generator.
    ///
    /// # Errors
    /// When the system has no memory or no randomness to give.
    pub fn generate(&self) -> io::Result<SecretKey> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        getrandom::fill(bytes.as_mut_slice()).map_err(io::Error::other)?;
        self.adopt(&mut bytes)
    }

    /// Takes a key over from ordinary memory, which is wiped, also on an error.
    ///
    /// # Errors
    /// When the system has no memory to give.
    pub fn adopt(&self, bytes: &mut [u8; KEY_LEN]) -> io::Result<SecretKey> {
        let slot = self.take_slot();
        if let Ok(slot) = &slot {
            // SAFETY: the slot was just taken off the free list, so it is ours alone.
            unsafe { slot.page.fill(slot.index, bytes) };
        }
        bytes.zeroize();
        Ok(SecretKey::new(self.clone(), slot?))
    }

    /// Whether every page could be locked into memory so far.
    pub fn is_locked(&self) -> bool {
        self.lock().unlocked == 0
    }

    /// How many keys are alive, once it is seen that all other slots hold zeros.
    #[cfg(test)]
    pub(crate) fn alive(&self) -> usize {
        let pages = self.lock();
        assert!(pages.free.iter().all(|slot| slot.bytes() == &[0; KEY_LEN]), "a free slot is wiped");
        pages.count * SLOTS - pages.free.len()
    }

    fn take_slot(&self) -> io::Result<Slot> {
        let mut pages = self.lock();
        if let Some(slot) = pages.free.pop() {
            return Ok(slot);
        }
        let (page, trouble) = LockedPage::map()?;
        pages.count += 1;
        if let Some(trouble) = trouble {
            pages.unlocked += 1;
            warn_once(&trouble);
        }
        let page = Arc::new(page);
        pages.free.extend((1..SLOTS).rev().map(|index| Slot { page: Arc::clone(&page), index }));
        Ok(Slot { page, index: 0 })
    }

    /// Wipes a slot and makes it free; only a key that is dropped calls this.
    pub(super) fn give_back(&self, slot: Slot) {
        // SAFETY: the key that owned the slot is being dropped, so nothing borrows its bytes.
        unsafe { slot.page.wipe(slot.index) };
        self.lock().free.push(slot);
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // A list of free slots is whole after every statement, so a panic elsewhere harms nothing.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn_once(trouble: &io::Error) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            error = %trouble,
            "keys could not be locked into memory, so they may reach the swap space: \
             raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit) or switch swap off"
        );
    });
}

impl std::fmt::Debug for SecretArena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pages = self.lock();
        f.debug_struct("SecretArena")
            .field("pages", &pages.count)
            .field("unlocked", &pages.unlocked)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_keys_need_few_pages_and_slots_are_used_again() {
        let arena = SecretArena::new();
        let keys: Vec<_> = (0..1000).map(|_| arena.generate().unwrap()).collect();
        let distinct: std::collections::HashSet<_> = keys.iter().map(|key| *key.bytes()).collect();
        assert_eq!(distinct.len(), 1000);
        assert_eq!(arena.lock().count, 1000_usize.div_ceil(SLOTS));
        drop(keys);
        let again: Vec<_> = (0..1000).map(|_| arena.generate().unwrap()).collect();
        assert_eq!(arena.lock().count, 1000_usize.div_ceil(SLOTS));
        drop(again);
    }

    #[test]
    fn a_dropped_key_leaves_zeros() {
        let arena = SecretArena::new();
        let mut bytes = [7; KEY_LEN];
        let key = arena.adopt(&mut bytes).unwrap();
        assert_eq!(bytes, [0; KEY_LEN], "the source is wiped");
        assert_eq!(key.bytes(), &[7; KEY_LEN]);
        drop(key);
        let pages = arena.lock();
        assert_eq!(pages.free.len(), SLOTS);
        assert!(pages.free.iter().all(|slot| slot.bytes() == &[0; KEY_LEN]));
    }

    #[test]
    fn pages_are_locked_and_left_out_of_core_dumps() {
        let arena = SecretArena::new();
        let key = arena.generate().unwrap();
        if !arena.is_locked() {
            // A machine that allows no locked memory: the fallback is what is left to see.
            return assert_ne!(key.bytes(), &[0; KEY_LEN]);
        }
        let address = key.bytes().as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let flags = flags_of(&maps, address).expect("the page is mapped");
        assert!(flags.split_whitespace().any(|flag| flag == "dd"), "left out of dumps: {flags}");
        assert!(flags.split_whitespace().any(|flag| flag == "lo"), "locked: {flags}");
    }

    fn flags_of(maps: &str, address: usize) -> Option<&str> {
        let mut inside = false;
        for line in maps.lines() {
            let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
            if let Some((from, to)) = range
                && let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                inside = (from..to).contains(&address);
            }
            if inside && let Some(flags) = line.strip_prefix("VmFlags:") {
                return Some(flags);
            }
        }
        None
    }

    #[test]
    fn debug_shows_no_key() {
        let arena = SecretArena::new();
        let key = arena.adopt(&mut [0xab; KEY_LEN]).unwrap();
        assert_eq!(format!("{key:?}"), "SecretKey(<redacted>)");
    }
}
