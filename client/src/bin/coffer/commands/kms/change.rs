//! Changes of the replica set's settings: what is sent, and what is told of the answer.

use coffer_client::keys::{Change, KmsChangeRequest, KmsChangeResponse};
use serde_json::json;

use super::super::Context;
use super::findings::{self, findings_json};
use super::settings::{describe, settings_json};
use crate::args::Change as How;
use crate::failure::Failure;
use crate::table::listed;

/// What is changed, as far as its success is told differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Nothing: what is current is tried.
    Current,
    /// The key.
    Cmk,
    /// Anything else.
    Other,
}

/// The request of a change. `seen`: the version that it was made from, which counts unless a person named one.
pub fn request(what: Change, how: &How, seen: Option<u64>) -> KmsChangeRequest {
    KmsChangeRequest {
        expected_version: how.expect_version.or(seen).unwrap_or_default(),
        allow_absent: how.allow_absent.clone(),
        validate_only: how.dry_run,
        change: Some(what),
    }
}

/// Has the replica set try a change, and make it unless it is only tried.
pub async fn change(cx: &mut Context, request: KmsChangeRequest, changed: Changed) -> Result<(), Failure> {
    let only = request.validate_only;
    let answer = cx.client.key_admin().kms_change(request).await?;
    let settings = answer.settings.clone().unwrap_or_default();
    let mut text = findings::table(&answer);
    if answer.accepted {
        match (changed, only) {
            (Changed::Current, _) => text.push_str("the settings work from every member that was asked\n"),
            (_, true) => text.push_str("this would be accepted; nothing was changed\n"),
            (_, false) => text.push_str(&describe(&settings)),
        }
        if changed == Changed::Cmk && !only {
            text.push_str(
                "! keep the old key enabled: every member makes a new master key in turn, and `coffer status` says who \
                 still depends on the old one\n",
            );
        }
    }
    let json = json!({
        "accepted": answer.accepted,
        "changed": answer.accepted && !only,
        "settings": settings_json(&settings),
        "findings": findings_json(&answer.findings),
        "members": answer.members.iter().map(|member| json!({
            "member_id": member.member_id,
            "absent": member.absent,
            "findings": findings_json(&member.findings),
        })).collect::<Vec<_>>(),
    });
    cx.output.print(text, &json)?;
    if answer.accepted { Ok(()) } else { Err(refused(&answer, changed)) }
}

fn refused(answer: &KmsChangeResponse, changed: Changed) -> Failure {
    let problems = findings::problems(answer);
    let absent: Vec<String> = answer
        .members
        .iter()
        .filter(|member| member.absent)
        .map(|member| member.member_id.to_string())
        .collect();
    let what = match changed {
        Changed::Current => "the settings do not work".to_owned(),
        _ => "refused; nothing was changed".to_owned(),
    };
    let mut text = match problems {
        0 => what,
        1 => format!("{what}: 1 problem"),
        many => format!("{what}: {many} problems"),
    };
    if !absent.is_empty() {
        let (word, verb) = if absent.len() == 1 { ("member", "does") } else { ("members", "do") };
        text.push_str(&format!(
            "\n{word} {} {verb} not answer; --allow-absent {} goes on without",
            listed(&absent),
            absent.join(",")
        ));
    }
    Failure::Refused(text)
}
