//! Where keys live: pages of slots, so that a thousand keys need eight locked pages and not a
//! thousand (`ulimit -l` is 64 KiB or 8 MiB on common systems).
#![allow(unsafe_code)]

use std::io;
use std::sync::Once;

use zeroize::{Zeroize, Zeroizing};

use super::slots::Slots;
use super::{KEY_LEN, SecretKey};

/// The memory of a set of keys. Cheap to clone: clones share the memory.
#[derive(Clone, Default)]
pub struct SecretArena {
    slots: Slots<KEY_LEN>,
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
        let slot = self.slots.take();
        if let Ok((slot, _)) = &slot {
            // SAFETY: the slot was just given out, so it is ours alone, and nothing of it is lent.
            unsafe { slot.place().as_ptr().copy_from_nonoverlapping(bytes, 1) };
        }
        bytes.zeroize();
        let (slot, trouble) = slot?;
        if let Some(trouble) = trouble {
            warn_once(&trouble);
        }
        Ok(SecretKey::new(slot))
    }

    /// Whether every page could be locked into memory so far.
    pub fn is_locked(&self) -> bool {
        self.slots.is_locked()
    }

    /// How many keys are alive, once it is seen that all other slots hold zeros.
    #[cfg(test)]
    pub(crate) fn alive(&self) -> usize {
        self.slots.taken()
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
        let (pages, unlocked) = self.slots.pages();
        f.debug_struct("SecretArena")
            .field("pages", &pages)
            .field("unlocked", &unlocked)
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
        assert_eq!(arena.slots.pages().0, 1000_usize.div_ceil(4096 / KEY_LEN));
        drop(keys);
        let again: Vec<_> = (0..1000).map(|_| arena.generate().unwrap()).collect();
        assert_eq!(arena.slots.pages().0, 1000_usize.div_ceil(4096 / KEY_LEN));
        drop(again);
    }

    #[test]
    fn a_dropped_key_leaves_zeros() {
        let arena = SecretArena::new();
        let mut bytes = [7; KEY_LEN];
        let key = arena.adopt(&mut bytes).unwrap();
        assert_eq!(bytes, [0; KEY_LEN], "the source is wiped");
        assert_eq!(key.bytes(), &[7; KEY_LEN]);
        let place = std::ptr::from_ref(key.bytes());
        drop(key);
        // SAFETY: the page stays mapped as long as its arena; nothing writes to it here.
        assert_eq!(unsafe { place.read() }, [0; KEY_LEN]);
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
