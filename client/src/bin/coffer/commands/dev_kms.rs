//! `coffer dev-kms`: the administrator of the directory that plays KMS.

use coffer_keyring::kms::local::{LocalFault, LocalKeyInfo, LocalKmsAdmin};
use serde_json::json;

use crate::args::{DevKms, DevKmsCommand, RegionFault};
use crate::failure::Failure;
use crate::output::Output;
use crate::table::table;

/// Runs it.
pub fn run(args: DevKms, output: &mut Output) -> Result<(), Failure> {
    let admin = LocalKmsAdmin::new(&args.dir);
    match args.command {
        DevKmsCommand::Create { regions, single_region } => {
            let [home, others @ ..] = regions.as_slice() else {
                return Err(Failure::Usage("name a Region".into()));
            };
            if single_region && !others.is_empty() {
                return Err(Failure::Usage("a single-Region key has one Region: give one --region".into()));
            }
            // Found before the primary is made, which would be left behind otherwise.
            if let Some((_, twice)) =
                regions.iter().enumerate().find(|(at, region)| regions[..*at].contains(region))
            {
                return Err(Failure::Usage(format!(
                    "Region {twice} is named twice: a key is in a Region once"
                )));
            }
            let mut arns = vec![admin.create(home, !single_region)?];
            for other in others {
                let replica = admin.replicate(&arns[0], other)?;
                arns.push(replica);
            }
            let text = arns.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            output.print(text, &json!({ "arn": arns[0], "replicas": arns[1..] }))?;
        }
        DevKmsCommand::Replicate { arn, region } => {
            let replica = admin.replicate(&arn, &region)?;
            output.print(&replica, &json!({ "arn": replica }))?;
        }
        DevKmsCommand::Disable { arn } => {
            admin.disable(&arn)?;
            output.print(format!("{arn} is disabled"), &json!({ "arn": arn, "state": "Disabled" }))?;
        }
        DevKmsCommand::Enable { arn } => {
            admin.enable(&arn)?;
            output.print(format!("{arn} is enabled"), &json!({ "arn": arn, "state": "Enabled" }))?;
        }
        DevKmsCommand::ScheduleDeletion { arn, days } => {
            let date = admin.schedule_deletion(&arn, days)?;
            output.print(
                format!("{arn} will be deleted at {date}"),
                &json!({ "arn": arn, "state": "PendingDeletion", "deletion_date": date }),
            )?;
        }
        DevKmsCommand::CancelDeletion { arn } => {
            admin.cancel_deletion(&arn)?;
            output.print(
                format!("the deletion of {arn} is called off; it is disabled"),
                &json!({ "arn": arn, "state": "Disabled" }),
            )?;
        }
        DevKmsCommand::Rotate { arn } => {
            admin.rotate(&arn)?;
            output.print(format!("{arn} has new key material"), &json!({ "arn": arn }))?;
        }
        DevKmsCommand::Outage { region } => {
            admin.outage(&region)?;
            output.print(format!("{region} is out"), &json!({ "region": region, "out": true }))?;
        }
        DevKmsCommand::Fail { region, how, millis } => {
            let fault = fault(how, millis);
            admin.set_fault(&region, Some(fault))?;
            let said = format!("{region}: {}", how_it_fails(fault));
            output.print(said, &json!({ "region": region, "fault": fault }))?;
        }
        DevKmsCommand::Restore { region } => {
            admin.restore(&region)?;
            output.print(format!("{region} answers again"), &json!({ "region": region, "out": false }))?;
        }
        DevKmsCommand::List => list(&admin, output)?,
    }
    Ok(())
}

fn list(admin: &LocalKmsAdmin, output: &mut Output) -> Result<(), Failure> {
    let keys = admin.list()?;
    let outages = admin.outages()?;
    let mut rows = table(&["KEY", "STATE", "KIND", "REGION"], &[]);
    for key in &keys {
        rows.add_row([key.arn.to_string(), state(key), kind(key).to_owned(), region(key)]);
    }
    let mut text = if keys.is_empty() { "no keys".to_owned() } else { rows.to_string() };
    for out in outages.iter().filter(|out| keys.iter().all(|key| key.arn.region() != *out)) {
        text.push_str(&format!("\n{out} is out"));
    }
    output.print(text, &json!({ "keys": keys, "outages": outages }))?;
    Ok(())
}

fn state(key: &LocalKeyInfo) -> String {
    match &key.deletion_date {
        Some(date) => format!("{:?} until {date}", key.state),
        None => format!("{:?}", key.state),
    }
}

fn kind(key: &LocalKeyInfo) -> &'static str {
    match (key.multi_region, key.primary) {
        (true, true) => "multi-Region primary",
        (true, false) => "multi-Region replica",
        (false, _) => "single-Region",
    }
}

fn region(key: &LocalKeyInfo) -> String {
    let how = key.region_fault.map_or_else(|| "answers".to_owned(), how_it_fails);
    format!("{} ({how})", key.arn.region())
}

fn fault(how: RegionFault, millis: u64) -> LocalFault {
    match how {
        RegionFault::Outage => LocalFault::Outage,
        RegionFault::BlackHole => LocalFault::BlackHole,
        RegionFault::Throttled => LocalFault::Throttled,
        RegionFault::Error => LocalFault::Error,
        RegionFault::Denied => LocalFault::Denied,
        RegionFault::Slow => LocalFault::Slow(millis),
    }
}

fn how_it_fails(fault: LocalFault) -> String {
    match fault {
        LocalFault::Outage => "out".to_owned(),
        LocalFault::BlackHole => "never answers".to_owned(),
        LocalFault::Throttled => "throttles".to_owned(),
        LocalFault::Error => "fails".to_owned(),
        LocalFault::Denied => "denies".to_owned(),
        LocalFault::Slow(millis) => format!("answers after {millis} ms"),
    }
}
