//! What the crate's own tests share. Compiled for tests only.

mod conformance;
mod node;

pub use node::TestNode;
