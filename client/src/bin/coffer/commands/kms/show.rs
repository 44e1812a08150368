//! `coffer kms show`.

use std::fmt::Write;

use coffer_client::keys::{KmsOverrideInfo, KmsShowResponse};
use serde_json::{Value, json};

use super::super::Context;
use super::super::reach::{Otherwise, ask, chosen};
use super::settings::{describe, settings_json};
use crate::args::Members;
use crate::failure::Failure;

/// Runs it.
pub async fn run(cx: &mut Context, members: Members) -> Result<(), Failure> {
    let endpoints = chosen(cx, members, Otherwise::First).await?;
    let keys = cx.client.key_admin();
    let mut asked = ask(&endpoints, async |endpoint| keys.kms_show(&endpoint).await).await;
    asked.answers.sort_by_key(|(_, shown)| shown.member_id);
    let text =
        asked.answers.iter().map(|(endpoint, shown)| text(endpoint, shown)).collect::<Vec<_>>().join("\n");
    let json: Vec<Value> = asked.answers.iter().map(|(endpoint, shown)| to_json(endpoint, shown)).collect();
    cx.output.print(text, &json!({ "members": json, "failed": asked.failed() }))?;
    asked.settle("shows no settings")
}

fn text(endpoint: &str, shown: &KmsShowResponse) -> String {
    let mut text = format!("member {} ({endpoint})\n", shown.member_id);
    if !shown.provider.is_empty() {
        let _ = writeln!(text, "  {:<16}{}", "provider", shown.provider);
    }
    if let Some(settings) = &shown.settings {
        text.push_str(&describe(settings));
    }
    let active = if shown.active_region.is_empty() { "none" } else { &shown.active_region };
    let _ = writeln!(text, "  {:<16}{active}", "active Region");
    let over = shown.r#override.as_ref().map_or("none".to_owned(), describe_override);
    let _ = writeln!(text, "  {:<16}{over}", "override");
    if !shown.replica_regions.is_empty() {
        let _ = writeln!(text, "  {:<16}{}", "key in KMS", shown.replica_regions.join(", "));
    }
    for warning in &shown.warnings {
        let _ = writeln!(text, "! {warning}");
    }
    text
}

fn describe_override(info: &KmsOverrideInfo) -> String {
    let mut text = info.region.clone();
    if !info.since.is_empty() {
        let _ = write!(text, " since {}", info.since);
    }
    let _ = write!(
        text,
        ", instead of version {} of the settings; `coffer kms clear-override` takes it back",
        info.settings_version
    );
    text
}

/// An override, for programs.
pub fn override_json(info: Option<&KmsOverrideInfo>) -> Value {
    info.map_or(Value::Null, |info| {
        json!({ "region": info.region, "settings_version": info.settings_version, "since": info.since })
    })
}

fn to_json(endpoint: &str, shown: &KmsShowResponse) -> Value {
    json!({
        "endpoint": endpoint,
        "member_id": shown.member_id,
        "provider": shown.provider,
        "settings": shown.settings.as_ref().map(settings_json),
        "active_region": shown.active_region,
        "override": override_json(shown.r#override.as_ref()),
        "replica_regions": shown.replica_regions,
        "warnings": shown.warnings,
    })
}
