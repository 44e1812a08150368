//! Overwrites what work with keys leaves on the stack.
//!
//! A cipher, a key derivation or a MAC is built on the stack and moved, and a move wipes nothing: copies of the key, or of
//! what follows from it, stand below the stack pointer until something else is written there, which in a thread that idles
//! is never.

use zeroize::Zeroize;

/// How much of the stack is overwritten: several times what an expanded AES-256 key with its tables (some 1,000 bytes), moved
/// a few times, and the state of an HMAC need.
const SCRUBBED: usize = 16 * 1024;

/// Does `work`, which may have keys on the stack, and overwrites the part of the stack that it used.
pub fn on_scrubbed_stack<T>(work: impl FnOnce() -> T) -> T {
    let result = below(work);
    scrub();
    result
}

/// A frame of its own, so that everything of `work` lies where [`scrub`] writes.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn scrub() {
    let mut below = [0_u8; SCRUBBED];
    below.zeroize();
    std::hint::black_box(&below);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_comes_through() {
        let key = [7_u8; 32];
        assert_eq!(on_scrubbed_stack(|| key.iter().map(|byte| u32::from(*byte)).sum::<u32>()), 224);
    }
}
