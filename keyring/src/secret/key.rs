//! A key in locked memory.

use std::fmt;

use super::arena::Slot;
use super::{KEY_LEN, SecretArena};

/// A 256-bit key: locked in memory, wiped on drop, not cloneable, not serialisable, redacted when
/// printed.
pub struct SecretKey {
    arena: SecretArena,
    slot: Option<Slot>,
}

impl SecretKey {
    pub(super) fn new(arena: SecretArena, slot: Slot) -> Self {
        Self { arena, slot: Some(slot) }
    }

    /// The 32 bytes of the key. Copy them nowhere that is not wiped.
    pub fn bytes(&self) -> &[u8; KEY_LEN] {
        self.slot.as_ref().expect("a key has its slot until it is dropped").bytes()
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.arena.give_back(slot);
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(<redacted>)")
    }
}
