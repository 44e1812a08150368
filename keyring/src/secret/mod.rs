//! Keys in memory, and how one key encrypts another.
//!
//! Invariants:
//! - The bytes of a key stand in pages that are locked into memory and left out of core dumps,
//!   and are wiped when the key is dropped.
//! - A key can neither be copied by accident, nor printed, nor serialised.
//! - A wrapped key opens only where it belongs: the authenticated data name its cluster, member,
//!   type, id and version and the version of the key that wraps it.

mod arena;
mod key;
mod mac;
mod page;
mod scrub;
mod slots;
mod wiping_alloc;
mod wrap;

pub use self::arena::SecretArena;
pub use self::key::SecretKey;
pub(crate) use self::mac::MacKey;
pub use self::scrub::on_scrubbed_stack;
pub use self::slots::{Slot, Slots};
pub use self::wiping_alloc::WipingAllocator;
pub(crate) use self::wrap::{KeyKind, WrapError, WrapPlace, WrappedKey, wrap_proven};

/// Length of every key in bytes: AES-256, HMAC-SHA256 and HKDF-SHA256 all take 32.
pub const KEY_LEN: usize = 32;
