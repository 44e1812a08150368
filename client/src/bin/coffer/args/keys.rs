//! `coffer keys`, `coffer encryption`, `coffer alerts` and `coffer audit`.

use clap::{Args as ClapArgs, Subcommand};

use super::members::Members;

/// `coffer keys`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Keys {
    /// Whose keys are shown; without --member, everybody's.
    #[command(flatten)]
    pub members: Members,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<KeysCommand>,
}

/// The commands of `coffer keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Have the members make new master keys, one after the other; no data is rewritten.
    RotateMaster {
        /// Only the member of this id.
        #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
        member: Option<u64>,
        /// Wait until it is done.
        #[arg(long)]
        wait: bool,
    },
    /// Have every member make a new key for a database and rewrite its files under it.
    RotateDatabase {
        /// The database.
        database: String,
        /// Wait until it is done.
        #[arg(long)]
        wait: bool,
    },
    /// Show what is being done to keys, who is done, and what it waits for.
    Progress,
    /// Put the next scheduled rotation of the master keys off.
    Defer {
        /// For how many days from now; 0 takes a deferral back.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=365))]
        days: u32,
    },
}

/// The commands of `coffer encryption`.
#[derive(Debug, Subcommand)]
pub enum Encryption {
    /// Have every member rebuild its data sealed, one after the other; the replica set serves meanwhile.
    Enable {
        /// Wait until it is done.
        #[arg(long)]
        wait: bool,
    },
    /// Have every member rebuild its data in the clear. Each member's own configuration has to allow that.
    Disable {
        /// Wait until it is done.
        #[arg(long)]
        wait: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Show which members' data is sealed, and how far a change is.
    Status,
}

/// `coffer alerts`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Alerts {
    /// Show those that are over, too.
    #[arg(long)]
    pub history: bool,
    /// Who is asked; without --member, everybody.
    #[command(flatten)]
    pub members: Members,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<AlertsCommand>,
}

/// The commands of `coffer alerts`.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Note that somebody has seen an alert.
    Ack {
        /// Its id, as `coffer alerts` shows it.
        id: String,
        /// Who has seen it.
        #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
        by: String,
    },
}

/// The commands of `coffer audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check a member's audit log: its chain, its seals, and what the replica set remembers of it.
    ///
    /// Without --member or --all, the first endpoint that answers is asked. Ends with status 1 where a log does not
    /// verify.
    Verify(Members),
}
