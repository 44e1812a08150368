//! `coffer kms`.

use clap::{Args as ClapArgs, Subcommand};
use coffer_keyring::kms::{IamArn, KeyArn, Region};

use super::members::Members;
use super::policy::Policy;
use crate::help::pointer;
use crate::window::Window;

/// The commands of `coffer kms`.
#[derive(Debug, Subcommand)]
pub enum Kms {
    /// Show the settings of the customer's key, and what a member uses of them; sealed members answer, too.
    ///
    /// Without --member or --all, the first endpoint that answers is asked.
    Show(Members),
    /// Try the current settings against KMS from every member, and change nothing.
    Validate {
        /// A member that need not answer; repeat it, or separate several by commas.
        #[arg(long, value_name = "ID", value_delimiter = ',')]
        allow_absent: Vec<u64>,
    },
    /// Go over to another key: every member in turn makes a new master key under it.
    ///
    /// Keep the old key enabled until `coffer status` says that no member depends on it any more.
    SetCmk {
        /// The full ARN of the key.
        #[arg(value_parser = cmk)]
        arn: KeyArn,
        /// The Regions to use, home first; without any, the Region of the ARN. Repeat it, or separate several by commas.
        #[arg(long = "region", alias = "regions", value_name = "REGION", value_delimiter = ',')]
        regions: Vec<Region>,
        /// How the change is made.
        #[command(flatten)]
        change: Change,
    },
    /// Make another Region home; where nobody leads, use it on the members themselves.
    ///
    /// With one Region, it becomes home and the others stay behind it; several are the whole list, home first. Where
    /// the replica set has a leader this changes its settings. Where it has none, as when all members are sealed, or
    /// with --member, it is an override of the member that is asked: the one named, the first endpoint that answers, or
    /// with --all every member that answers.
    SetRegion(SetRegion),
    /// Have a member forget its override and use the replica set's settings again.
    ///
    /// Without --member or --all, the first endpoint that answers is asked.
    ClearOverride(Members),
    /// Tell a sealed member that the key its keystore is under is the right one, though another is configured.
    ///
    /// Without --member or --all, the first endpoint that answers is asked.
    Trust {
        /// The full ARN of that key.
        #[arg(long = "cmk", value_name = "ARN", value_parser = cmk)]
        arn: KeyArn,
        /// Who is told.
        #[command(flatten)]
        members: Members,
    },
    /// Use a role to reach the key. It can be replaced later, but not taken away.
    SetRole {
        /// The role's ARN.
        #[arg(value_name = "ROLE_ARN", value_parser = role)]
        role: IamArn,
        /// What the role's trust policy demands to be told.
        #[arg(long, value_name = "ID", value_parser = external_id)]
        external_id: String,
        /// How the change is made.
        #[command(flatten)]
        change: Change,
    },
    /// Print the policies that AWS has to be given, so that members may use the key and nothing else.
    ///
    /// With --cmk, no member is asked: policies can be made before there is a replica set.
    Policy(Policy),
    /// Change when keys are rotated and what is alerted of; what is not named stays.
    SetPolicy(SetPolicy),
}

/// How a change of the settings is made.
#[derive(Clone, Debug, ClapArgs)]
pub struct Change {
    /// A member that need not answer; repeat it, or separate several by commas.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub allow_absent: Vec<u64>,
    /// Change nothing unless the settings have this version.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub expect_version: Option<u64>,
    /// Try it from every member, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `coffer kms set-region`.
#[derive(Debug, ClapArgs)]
pub struct SetRegion {
    /// The Region, or the whole list of them separated by commas, home first.
    #[arg(value_name = "REGION", value_delimiter = ',', required = true)]
    pub regions: Vec<Region>,
    /// Do not keep the other Regions behind it.
    #[arg(long)]
    pub only: bool,
    /// Override it on a sealed member, and tell that this key, which its keystore is under, is the right one.
    #[arg(long, value_name = "ARN", value_parser = cmk)]
    pub trust_cmk: Option<KeyArn>,
    /// Who is asked where it is an override.
    #[command(flatten)]
    pub members: Members,
    /// How the change is made where it is one of the settings.
    #[command(flatten)]
    pub change: Change,
}

/// `coffer kms set-policy`.
#[derive(Debug, ClapArgs)]
pub struct SetPolicy {
    /// Whether master keys are rotated by age.
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub rotation: Option<bool>,
    /// At which age in days a master key is rotated, 1 to 90.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=90))]
    pub master_key_days: Option<u32>,
    /// When rotations may begin, in UTC: `sat,sun 02:00-06:00`, `22:00-04:00`, or `any`.
    #[arg(long, value_name = "WINDOW")]
    pub window: Option<Window>,
    /// For how many days a due rotation may be put off at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=365))]
    pub max_deferral_days: Option<u32>,
    /// Whether an alert is raised of a customer's key that is old.
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub cmk_age_alert: Option<bool>,
    /// At which age in days it is raised.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub cmk_age_days: Option<u32>,
    /// How the change is made.
    #[command(flatten)]
    pub change: Change,
}

/// The full ARN of a key; what else people write is refused here, before anybody is asked.
pub(super) fn cmk(text: &str) -> Result<KeyArn, String> {
    KeyArn::parse(text).map_err(|error| {
        let why = if text.starts_with("alias/") {
            format!(
                "`{text}` is an alias, which can be pointed at another key; give the full ARN of the key itself, like \
                 arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
            )
        } else if !text.contains(':') && !text.is_empty() {
            format!(
                "`{text}` is a bare key id: which key it means depends on the account and Region of whoever asks; give \
                 the full ARN, like arn:aws:kms:eu-central-1:111122223333:key/{text}"
            )
        } else {
            error.to_string()
        };
        format!("{why} {}", pointer("CK0023"))
    })
}

/// The full ARN of a role.
pub(super) fn role(text: &str) -> Result<IamArn, String> {
    IamArn::parse_role(text).map_err(|error| error.to_string())
}

/// An ExternalId as STS takes it: 2 to 1,224 characters (API reference of AssumeRole).
pub(super) fn external_id(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    if (2..=1224).contains(&text.len()) && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("it has to have 2 to 1,224 letters, digits or characters of _+=,.@:/-".into())
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("write on or off".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_full_arn_is_refused_with_the_reason_and_the_page() {
        for (text, why) in [
            ("mrk-0123456789abcdef0123456789abcdef", "a bare key id"),
            ("1234abcd-12ab-34cd-56ef-1234567890ab", "a bare key id"),
            ("alias/mine", "an alias"),
            ("arn:aws:kms:eu-central-1:111122223333:alias/mine", "alias"),
            ("arn:aws:s3:::bucket", "service"),
            ("", "arn:"),
        ] {
            let error = cmk(text).unwrap_err();
            assert!(error.contains(why) && error.contains("coffer explain CK0023"), "{error}");
        }
    }

    #[test]
    fn roles_and_external_ids_are_checked() {
        assert!(role("arn:aws:iam::111122223333:role/team/coffer").is_ok());
        for wrong in [
            "coffer",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::111122223333:user/x",
            "arn:aws:iam::111122223333:role/",
        ] {
            assert!(role(wrong).is_err(), "{wrong}");
        }
        assert!(external_id("acme-7").is_ok());
        assert!(external_id("x").is_err() && external_id("a b").is_err());
    }
}
