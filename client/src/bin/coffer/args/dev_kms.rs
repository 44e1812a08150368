//! `coffer dev-kms`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
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
    /// End the outage of a Region.
    Restore {
        /// The Region.
        region: Region,
    },
    /// List the keys and the Regions that are out.
    List,
}
