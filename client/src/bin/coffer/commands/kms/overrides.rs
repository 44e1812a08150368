//! What single members use instead of the replica set's settings.

use std::fmt::Write;

use coffer_client::keys::KmsOverrideResponse;
use coffer_keyring::kms::KeyArn;
use serde_json::{Value, json};

use super::super::Context;
use super::super::reach::{Otherwise, ask, chosen};
use super::findings::{findings_json, said};
use super::show::override_json;
use crate::args::Members;
use crate::failure::Failure;

/// What to know of an override.
const MARKED: &str = "this is an override of single members: the replica set's settings are as they were. It is cleared by \
     `coffer kms clear-override`, or by the next `coffer kms set-region` once the replica set has a leader";

/// Makes these members use `region`. `leaderless`: nobody leads, so the members are sealed or cut off.
pub async fn set(
    cx: &mut Context,
    endpoints: &[String],
    region: &str,
    trusted: &str,
    leaderless: bool,
) -> Result<(), Failure> {
    let note = if leaderless { format!("nobody leads: {MARKED}") } else { MARKED.to_owned() };
    send(cx, endpoints, region, trusted, &format!("uses {region}"), &note).await
}

/// Makes the members use the replica set's settings again.
pub async fn clear(cx: &mut Context, members: Members) -> Result<(), Failure> {
    let endpoints = chosen(cx, members, Otherwise::First).await?;
    send(cx, &endpoints, "", "", "uses the replica set's settings", "").await
}

/// Tells the members that the key of their keystore is the right one.
pub async fn trust(cx: &mut Context, arn: &KeyArn, members: Members) -> Result<(), Failure> {
    let endpoints = chosen(cx, members, Otherwise::First).await?;
    send(cx, &endpoints, "", &arn.to_string(), &format!("trusts {arn}"), "").await
}

async fn send(
    cx: &mut Context,
    endpoints: &[String],
    region: &str,
    trusted: &str,
    done: &str,
    note: &str,
) -> Result<(), Failure> {
    let keys = cx.client.key_admin();
    let mut asked =
        ask(endpoints, async |endpoint| keys.kms_override(&endpoint, region, trusted).await).await;
    asked.answers.sort_by_key(|(_, answer)| answer.member_id);
    let mut text = String::new();
    for (endpoint, answer) in &asked.answers {
        let who = format!("member {} ({endpoint})", answer.member_id);
        match refused(answer) {
            true => {
                let _ = writeln!(text, "{who} refused:");
            }
            false => {
                let _ = writeln!(text, "{who} {done}");
            }
        }
        for finding in &answer.findings {
            let place =
                if finding.region.is_empty() { String::new() } else { format!("{}: ", finding.region) };
            let _ = writeln!(text, "  ! {place}{}", said(finding));
        }
    }
    let accepted = asked.answers.iter().any(|(_, answer)| !refused(answer));
    if accepted && !note.is_empty() {
        let _ = writeln!(text, "! {note}");
    }
    let json: Vec<Value> = asked
        .answers
        .iter()
        .map(|(endpoint, answer)| {
            json!({
                "endpoint": endpoint,
                "member_id": answer.member_id,
                "accepted": !refused(answer),
                "findings": findings_json(&answer.findings),
                "override": override_json(answer.r#override.as_ref()),
            })
        })
        .collect();
    cx.output.print(text, &json!({ "members": json, "failed": asked.failed() }))?;
    asked.settle("was not changed")?;
    let refusals = asked.answers.iter().filter(|(_, answer)| refused(answer)).count();
    match refusals {
        0 => Ok(()),
        1 => Err(Failure::Refused("1 member refused".into())),
        many => Err(Failure::Refused(format!("{many} members refused"))),
    }
}

fn refused(answer: &KmsOverrideResponse) -> bool {
    answer.findings.iter().any(|finding| !finding.warning)
}
