//! `coffer kms`.

mod change;
mod findings;
mod overrides;
mod policy;
mod region;
mod settings;
mod show;

use coffer_client::keys::{Change, KmsChangeRequest, SetCmk, SetRole};

use self::change::{Changed, change};
use super::Context;
use crate::args::Kms;
use crate::failure::Failure;

/// Runs it.
pub async fn run(cx: &mut Context, args: Kms) -> Result<(), Failure> {
    match args {
        Kms::Show(members) => show::run(cx, members).await,
        Kms::Validate { allow_absent } => {
            let request =
                KmsChangeRequest { allow_absent, validate_only: true, ..KmsChangeRequest::default() };
            change(cx, request, Changed::Current).await
        }
        Kms::SetCmk { arn, regions, change: how } => {
            let regions = regions.iter().map(ToString::to_string).collect();
            let what = Change::SetCmk(SetCmk { cmk_arn: arn.to_string(), regions });
            change(cx, change::request(what, &how, None), Changed::Cmk).await
        }
        Kms::SetRegion(args) => region::run(cx, args).await,
        Kms::ClearOverride(members) => overrides::clear(cx, members).await,
        Kms::Policy(args) => policy::run(cx, args).await,
        Kms::Trust { arn, members } => overrides::trust(cx, &arn, members).await,
        Kms::SetRole { role, external_id, change: how } => {
            let what = Change::SetRole(SetRole { role_arn: role.to_string(), external_id });
            change(cx, change::request(what, &how, None), Changed::Other).await
        }
        Kms::SetPolicy(args) => settings::set_policy(cx, args).await,
    }
}
