//! The parts of `coffer import`: reading documents out of a file piece by piece, giving them stable ids, and
//! showing how far it is.

pub mod ids;
pub mod pointer;
pub mod progress;
pub mod reader;
