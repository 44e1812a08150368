//! `cofferd`: one member of a Coffer replica set.

use std::process::ExitCode;

use clap::Parser;
use coffer_keyring::secret::WipingAllocator;

/// Keys pass through buffers of libraries that free them as they are.
#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator;

fn main() -> ExitCode {
    coffer_node::program(coffer_node::args::Args::parse()).into()
}
