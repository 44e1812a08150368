//! `coffer kms policy`.

use clap::Args as ClapArgs;
use coffer_keyring::kms::{IamArn, KeyArn, Region};

use super::kms::{cmk, external_id, role};

/// `coffer kms policy`.
#[derive(Debug, ClapArgs)]
pub struct Policy {
    /// The full ARN of the key; without it, the key of the replica set's settings.
    #[arg(long, value_name = "ARN", value_parser = cmk)]
    pub cmk: Option<KeyArn>,
    /// The Regions in which the key is used, home first; repeat it, or separate several by commas.
    #[arg(long = "region", alias = "regions", value_name = "REGION", value_delimiter = ',')]
    pub regions: Vec<Region>,
    /// The role that members assume; without it, that of the replica set's settings, unless --cmk is given.
    #[arg(long, value_name = "ROLE_ARN", value_parser = role)]
    pub role: Option<IamArn>,
    /// The ExternalId that the role is to ask for.
    #[arg(long, value_name = "ID", value_parser = external_id, requires = "role")]
    pub external_id: Option<String>,
    /// Who the members are before they assume a role: a user, or the role of their machines.
    #[arg(long, value_name = "ARN", conflicts_with = "account")]
    pub identity: Option<IamArn>,
    /// The account that the members are of, as a whole; without it and --identity, the role's or else the key's.
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub account: Option<String>,
    /// Allow calls from these addresses only, separated by commas; without any, from the members' own addresses.
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', num_args = 0..)]
    pub source_ip: Option<Vec<String>>,
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|c| c.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an account is 12 digits".into())
}
