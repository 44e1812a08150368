//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// One member of a Coffer replica set.
#[derive(Debug, Parser)]
#[command(name = "cofferd", version, about, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub struct Args {
    /// Start the member with these options.
    #[command(flatten)]
    pub run: RunArgs,
    /// Or do something else.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "Options come from the file, then from variables COFFER_SECTION__KEY, then from flags; each later \
    one wins. docs/exit-status.md says what an exit status means.";

/// How a member is started.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data directory; the same as --set storage.data_dir=DIR.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Sets one option; may be given many times, the last one wins.
    #[arg(long, value_name = "SECTION.KEY=VALUE", value_parser = parse_setting)]
    pub set: Vec<(String, String)>,
    /// Only says whether the configuration is valid.
    #[arg(long)]
    pub check: bool,
    /// Only prints the configuration that came of all layers.
    #[arg(long)]
    pub dump_config: bool,
}

/// What `cofferd` does besides running a member.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes the configuration files of a new replica set, with a new cluster id.
    InitConfig(InitConfigArgs),
}

/// What a new replica set is made of.
#[derive(Debug, ClapArgs)]
pub struct InitConfigArgs {
    /// The members: ID=HOST:PORT, separated by commas.
    #[arg(long, value_name = "ID=ADDRESS,…", required = true, value_delimiter = ',', value_parser = parse_member)]
    pub members: Vec<(u64, String)>,
    /// The directory in which the files are made: member-ID.toml and, by default, the data directories.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Where the members' data directories shall be; by default next to their files.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The ARN of the customer's key; without it encryption.cmk_arn is left to be filled in.
    #[arg(long, value_name = "ARN")]
    pub cmk: Option<String>,
    /// The directory of the local provider, for development; without it the key is one in AWS KMS.
    #[arg(long, value_name = "DIR")]
    pub kms_dir: Option<PathBuf>,
    /// The Regions in which the key is asked, home first.
    #[arg(long, value_name = "REGION,…", value_delimiter = ',')]
    pub regions: Vec<String>,
    /// Leaves files unsealed, for comparison.
    #[arg(long, conflicts_with_all = ["cmk", "kms_dir", "regions"])]
    pub no_encryption: bool,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) =
        text.split_once('=').ok_or("write section.key=value, like log.level=debug".to_owned())?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn parse_member(text: &str) -> Result<(u64, String), String> {
    let refuse = || "write ID=HOST:PORT, like 1=127.0.0.1:27101".to_owned();
    let (id, address) = text.split_once('=').ok_or_else(refuse)?;
    let id = id.trim().parse().map_err(|_| refuse())?;
    Ok((id, address.trim().to_owned()))
}
