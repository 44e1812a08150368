//! Which members a command asks.

use clap::Args as ClapArgs;

/// One member, or all of them; without either, the command says whom it asks.
#[derive(Clone, Copy, Debug, Default, ClapArgs)]
pub struct Members {
    /// Ask the member of this id.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    pub member: Option<u64>,
    /// Ask every member.
    #[arg(long, conflicts_with = "member")]
    pub all: bool,
}
