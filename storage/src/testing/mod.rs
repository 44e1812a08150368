//! What the crate's own tests share. Compiled for tests only.

mod apply_tests;
mod commands;
mod conformance;
mod golden_tests;
mod limits_tests;
mod node;
mod power_loss_tests;
mod rebuild_tests;
mod recovery_tests;
mod replica_set;
mod replica_set_tests;
mod rotation_tests;
mod system_record_tests;

pub use node::TestNode;
