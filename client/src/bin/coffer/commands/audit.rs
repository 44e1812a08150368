//! `coffer audit`.

use std::fmt::Write;

use coffer_client::keys::VerifyAuditResponse;
use serde_json::{Value, json};

use super::Context;
use super::reach::{Otherwise, ask, chosen};
use crate::args::Members;
use crate::failure::Failure;
use crate::help::pointer;
use crate::table::grouped;

/// `coffer audit verify`: ends with status 1 where a log does not verify, and with 3 where one could not be checked.
pub async fn verify(cx: &mut Context, members: Members) -> Result<(), Failure> {
    let endpoints = chosen(cx, members, Otherwise::First).await?;
    let keys = cx.client.key_admin();
    let mut asked = ask(&endpoints, async |endpoint| keys.verify_audit(&endpoint).await).await;
    asked.answers.sort_by_key(|(_, answer)| answer.member_id);
    let text: String = asked.answers.iter().map(|(endpoint, answer)| text(endpoint, answer)).collect();
    let json: Vec<Value> = asked.answers.iter().map(|(endpoint, answer)| to_json(endpoint, answer)).collect();
    cx.output.print(text, &json!({ "members": json, "failed": asked.failed() }))?;
    asked.settle("did not check its audit log")?;
    let invalid: Vec<String> = asked
        .answers
        .iter()
        .filter(|(_, answer)| !answer.valid)
        .map(|(_, answer)| answer.member_id.to_string())
        .collect();
    if !invalid.is_empty() {
        return Err(Failure::Refused(format!(
            "the audit log of member {} does not verify {}",
            crate::table::listed(&invalid),
            pointer("CK0053")
        )));
    }
    if asked.failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Unreachable("not every audit log was checked".into()))
}

fn text(endpoint: &str, answer: &VerifyAuditResponse) -> String {
    let verdict = if answer.valid { "verifies" } else { "DOES NOT VERIFY" };
    let mut text = format!("member {} ({endpoint}): its audit log {verdict}: ", answer.member_id);
    let _ = write!(text, "{} lines", grouped(answer.lines));
    if !answer.first.is_empty() {
        let _ = write!(text, " from {} to {}", answer.first, answer.last);
    }
    match answer.replicated_line {
        0 => text.push_str("; what the replica set remembers of it could not be asked\n"),
        line => {
            let _ = writeln!(text, "; the replica set remembers it through line {}", grouped(line));
        }
    }
    for problem in &answer.problems {
        let _ = writeln!(text, "  ! {problem}");
    }
    text
}

fn to_json(endpoint: &str, answer: &VerifyAuditResponse) -> Value {
    json!({
        "endpoint": endpoint,
        "member_id": answer.member_id,
        "valid": answer.valid,
        "lines": answer.lines,
        "first": answer.first,
        "last": answer.last,
        "problems": answer.problems,
        "replicated_line": answer.replicated_line,
    })
}
