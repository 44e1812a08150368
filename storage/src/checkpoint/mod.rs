//! Flushes databases, records how far all of them are, and lets the log be purged. Nobody else decides about flushes.

mod checkpointer;
mod flush;

pub use checkpointer::{Checkpointer, CheckpointerHandle, purge};
