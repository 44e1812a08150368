//! A key in locked memory.
#![allow(unsafe_code)]

use std::fmt;

use super::KEY_LEN;
use super::slots::Slot;

/// A 256-bit key: locked in memory, wiped on drop, not cloneable, not serialisable, redacted when
/// printed.
pub struct SecretKey {
    slot: Slot<KEY_LEN>,
}

impl SecretKey {
    /// The key that was written into `slot`.
    pub(super) fn new(slot: Slot<KEY_LEN>) -> Self {
        Self { slot }
    }

    /// The 32 bytes of the key. Copy them nowhere that is not wiped.
    pub fn bytes(&self) -> &[u8; KEY_LEN] {
        // SAFETY: the slot is initialised (the kernel zeroes anonymous memory) and this key's alone; it was written before
        // the key was made, and is not written again before it is dropped.
        unsafe { self.slot.place().as_ref() }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(<redacted>)")
    }
}
