//! `coffer dev-kms`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use coffer_keyring::kms::{KeyArn, Region};

/// `coffer dev-kms`.
#[derive(Debug, ClapArgs)]
pub struct DevKms {
    /// The directory; it is made with the first key.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: DevKmsCommand,
}

/// The commands of `coffer dev-kms`. Keys are named by their ARN, whose Region says which replica is meant.
#[derive(Debug, Subcommand)]
pub enum DevKmsCommand {
    /// Make a multi-Region key and print its ARN in each Region.
    Create {
        /// The Region of the primary, then those of replicas; repeat it, or separate several by commas.
        #[arg(long = "region", value_name = "REGION", default_value = "eu-central-1", value_delimiter = ',')]
        regions: Vec<Region>,
        /// Make a key that lives in one Region only.
        #[arg(long)]
        single_region: bool,
    },
    /// Make a replica of a multi-Region key in another Region and print its ARN.
    Replicate {
        /// The key.
        arn: KeyArn,
        /// The other Region.
        #[arg(long, value_name = "REGION")]
        region: Region,
    },
    /// Disable a key: members that need it stop.
    Disable {
        /// The key.
        arn: KeyArn,
    },
    /// Enable a key.
    Enable {
        /// The key.
        arn: KeyArn,
    },
    /// Schedule the deletion of a key, which makes it unusable at once.
    ScheduleDeletion {
        /// The key.
        arn: KeyArn,
        /// Days until it is gone, 7 to 30.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Call a deletion off; the key is disabled then.
    CancelDeletion {
        /// The key.
        arn: KeyArn,
    },
    /// Give a key new material, as the yearly rotation of KMS does.
    Rotate {
        /// The key.
        arn: KeyArn,
    },
    /// Put a Region out: its calls fail as if it could not be reached.
    Outage {
        /// The Region.
        region: Region,
    },
    /// Let a Region fail in another way: throttled, error, denied, black-hole, outage, or slow with its milliseconds.
    Fail {
        /// The Region.
        region: Region,
        /// How.
        #[arg(value_enum)]
        how: RegionFault,
        /// With `slow`: how long each answer takes.
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
        millis: u64,
    },
    /// Let a Region answer again.
    Restore {
        /// The Region.
        region: Region,
    },
    /// List the keys, and how their Regions answer.
    List,
}

/// How a Region fails.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RegionFault {
    /// Its connections are refused.
    Outage,
    /// It takes calls and never answers.
    BlackHole,
    /// It says that there are too many calls.
    Throttled,
    /// It fails by itself (500).
    Error,
    /// It denies access, as a policy does.
    Denied,
    /// It answers late.
    Slow,
}
