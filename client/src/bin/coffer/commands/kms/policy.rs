//! `coffer kms policy`: what AWS has to be given, so that members may use the key and nothing else.
//!
//! Invariant: with --cmk, and without the members' own addresses, no member is asked: a key can be prepared before there
//! is a replica set.

use std::fmt::Write;

use coffer_client::keys::KmsSettings;
use coffer_keyring::kms::policy::{Policies, PolicyError, PolicyRequest, policies};
use coffer_keyring::kms::{IamArn, KeyArn, Region};
use serde_json::{Value, json};

use super::super::Context;
use super::super::reach::{Otherwise, answered, choose, reason};
use crate::args::{Members, Policy};
use crate::failure::Failure;

/// Runs it.
pub async fn run(cx: &mut Context, args: Policy) -> Result<(), Failure> {
    let settings = if args.cmk.is_some() { KmsSettings::default() } else { settings(cx).await? };
    let cmk = match &args.cmk {
        Some(cmk) => cmk.clone(),
        None => KeyArn::parse(&settings.cmk_arn).map_err(|error| unusable("key", &error))?,
    };
    let regions = if args.regions.is_empty() {
        let parsed: Result<Vec<Region>, _> =
            settings.regions.iter().map(|region| Region::parse(region)).collect();
        parsed.map_err(|error| unusable("Region", &error))?
    } else {
        args.regions
    };
    let set_role = match (&args.role, settings.role_arn.as_str()) {
        (None, text) if !text.is_empty() => {
            Some(IamArn::parse_role(text).map_err(|error| unusable("role", &error))?)
        }
        _ => None,
    };
    let set_external_id =
        set_role.is_some().then_some(settings.external_id).filter(|external_id| !external_id.is_empty());
    let role = args.role.or(set_role);
    let external_id = args.external_id.or(set_external_id);
    let identity = match args.identity {
        Some(identity) => identity,
        None => {
            let account = args
                .account
                .unwrap_or_else(|| role.as_ref().map_or(cmk.account(), IamArn::account).to_owned());
            whole_account(&cmk, &account)?
        }
    };
    let source_addresses = match args.source_ip {
        None => Vec::new(),
        Some(named) if !named.is_empty() => named,
        Some(_) => addresses(cx).await?,
    };
    let request = PolicyRequest {
        cmk: &cmk,
        regions: &regions,
        identity: &identity,
        role: role.as_ref(),
        external_id: external_id.as_deref(),
        source_addresses: &source_addresses,
    };
    let made = policies(&request).map_err(refused)?;
    cx.output.print(text(&made, &identity, role.as_ref()), &to_json(&made))?;
    Ok(())
}

fn refused(error: PolicyError) -> Failure {
    Failure::Usage(error.to_string())
}

fn unusable(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::Refused(format!(
        "the settings of the replica set hold no {what} that policies can be made for ({error}); give --cmk"
    ))
}

/// Everybody in `account`, in the partition of the key.
fn whole_account(cmk: &KeyArn, account: &str) -> Result<IamArn, Failure> {
    let arn = cmk.to_string();
    let partition = arn.split(':').nth(1).unwrap_or("aws");
    IamArn::parse(&format!("arn:{partition}:iam::{account}:root"))
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// The settings, as the first member that answers knows them.
async fn settings(cx: &Context) -> Result<KmsSettings, Failure> {
    let reports = cx.client.admin().status_all().await;
    let endpoint = choose(&reports, Members::default(), Otherwise::First)?.swap_remove(0);
    let shown = cx.client.key_admin().kms_show(&endpoint).await;
    let shown = shown.map_err(|error| {
        Failure::Unreachable(format!("{endpoint} shows no settings: {}; give --cmk", reason(&error)))
    })?;
    Ok(shown.settings.unwrap_or_default())
}

/// The members' addresses, as they know each other.
async fn addresses(cx: &Context) -> Result<Vec<String>, Failure> {
    let reports = cx.client.admin().status_all().await;
    let members =
        reports.iter().filter_map(answered).max_by_key(|status| (status.members.len(), status.term));
    match members.map(|status| &status.members) {
        Some(members) if !members.is_empty() => {
            Ok(members.iter().map(|member| member.address.clone()).collect())
        }
        _ => Err(Failure::Unreachable(
            "no member that answers knows the members' addresses now; give them to --source-ip".into(),
        )),
    }
}

fn text(made: &Policies, identity: &IamArn, role: Option<&IamArn>) -> String {
    let user = role.unwrap_or(identity);
    let parts = [
        (format!("IAM policy of {user}: it may use the key"), Some(&made.key_use)),
        (format!("IAM policy of {identity}: it may assume the role"), made.assume_role.as_ref()),
        (format!("trust policy of {user}: who may assume it"), made.trust.as_ref()),
        ("statement for the policy of the key".to_owned(), made.key_statement.as_ref()),
    ];
    let mut text = String::new();
    for (title, policy) in parts {
        if let Some(policy) = policy {
            let _ = writeln!(text, "# {title}\n{policy}\n");
        }
    }
    for note in &made.notes {
        let _ = writeln!(text, "! {note}");
    }
    text
}

fn to_json(made: &Policies) -> Value {
    let policy = |text: Option<&String>| -> Value {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
    };
    json!({
        "key_use": policy(Some(&made.key_use)),
        "assume_role": policy(made.assume_role.as_ref()),
        "trust": policy(made.trust.as_ref()),
        "key_statement": policy(made.key_statement.as_ref()),
        "notes": made.notes,
    })
}
