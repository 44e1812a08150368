//! `coffer`: the command line of Coffer.
//!
//! Invariants:
//! - Nothing but data goes to standard output; everything else goes to standard error.
//! - The exit status is 0, or 1 refused, 2 usage, 3 unreachable or sealed.
//! - What destroys data is confirmed on the terminal or by `--yes`.

mod args;
mod commands;
mod confirm;
mod ext_json;
mod failure;
mod help;
mod import;
mod input;
mod namespace;
mod output;
mod table;
mod window;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;

#[tokio::main]
async fn main() -> ExitCode {
    // A usage error is reported here, with status 2.
    let args = Args::parse();
    match commands::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                eprintln!("coffer: {message}");
            }
            ExitCode::from(failure.exit_status())
        }
    }
}
