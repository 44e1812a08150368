//! Real `cofferd` processes, one at a time: how they start, refuse to start, seal themselves and end.
//!
//! Replica sets of several members are tested in `cluster-tests`.

mod directory;
mod failing;
mod process;
mod refusals;
mod sealing;
mod stopping;
