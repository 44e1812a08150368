//! An allocator that wipes what is given back.
//!
//! A key passes through memory that nobody here owns: the answer of the service in the buffers of TLS and HTTP, its base64
//! text in a JSON value, the wire form of a request. Those free their memory as it is. This allocator overwrites it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::ptr::{copy_nonoverlapping, write_bytes};

/// Blocks up to this size are wiped. A TLS record has 16 KiB, an answer of KMS less than 10; what is larger are documents
/// and batches of them, and wiping those would cost a write as much as a copy of it.
const WIPED: usize = 64 * 1024;

/// The system's allocator, with blocks of up to 64 KiB overwritten when they are freed. For `#[global_allocator]`.
#[derive(Debug)]
pub struct WipingAllocator;

// SAFETY: every call is handed on to the system's allocator with the layout that it came with; a block is overwritten only
// while it is still the caller's, and within its size.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() <= WIPED {
            // SAFETY: the block has this many bytes and is the caller's until it is freed below.
            unsafe { write_bytes(block, 0, layout.size()) };
            // Without this the compiler would leave out a write to what is freed.
            black_box(block);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.size() > WIPED {
            // SAFETY: as above.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        // The system might move the block and free the old place as it is.
        // SAFETY: the caller promises that `new_size`, rounded up to the alignment, is a valid size; it is not 0.
        let new = unsafe { System.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks have at least the smaller of the two sizes, and are different ones.
            unsafe { copy_nonoverlapping(block, new, layout.size().min(new_size)) };
            // SAFETY: the old block is the caller's, who gives it up.
            unsafe { self.dealloc(block, layout) };
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_its_bytes_as_it_grows_and_shrinks() {
        for (from, to) in [(16, 64), (64, 16), (WIPED, 4 * WIPED), (4 * WIPED, 16), (24, 24)] {
            let layout = Layout::from_size_align(from, 8).unwrap();
            // SAFETY: the layout is valid and not empty, the block is used within its size and freed with the layout that
            // it has then.
            unsafe {
                let block = WipingAllocator.alloc(layout);
                assert!(!block.is_null());
                for at in 0..from {
                    block.add(at).write(at as u8);
                }
                let block = WipingAllocator.realloc(block, layout, to);
                for at in 0..from.min(to) {
                    assert_eq!(block.add(at).read(), at as u8, "{from} to {to}");
                }
                WipingAllocator.dealloc(block, Layout::from_size_align(to, 8).unwrap());
            }
        }
    }
}
