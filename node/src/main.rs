//! `cofferd`: one member of a Coffer replica set.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    coffer_node::program(coffer_node::args::Args::parse()).into()
}
