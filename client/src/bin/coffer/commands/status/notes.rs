//! What a person should read below the tables.

use coffer_client::MemberReport;
use coffer_client::status::{EncryptionStatus, MemberState, RegionStatus};

use super::state_name;
use crate::help::pointer;
use crate::table::{listed, span};

/// What a person should read, with what all members say alike said once.
pub fn all(reports: &[MemberReport]) -> Vec<String> {
    let mut said: Vec<(Vec<String>, String)> = Vec::new();
    for report in reports {
        let who = match &report.status {
            Ok(status) => status.member_id.to_string(),
            Err(_) => String::new(),
        };
        for note in of(report) {
            match said.iter_mut().find(|(_, other)| *other == note) {
                Some((members, _)) => members.push(who.clone()),
                None => said.push((vec![who.clone()], note)),
            }
        }
    }
    let line = |(members, note): (Vec<String>, String)| match members.as_slice() {
        [member] if member.is_empty() => note,
        [member] => format!("member {member}: {note}"),
        several => format!("members {}: {note}", listed(several)),
    };
    said.into_iter().map(line).collect()
}

/// What a person should read about a member, to stand after its name.
fn of(report: &MemberReport) -> Vec<String> {
    let status = match &report.status {
        Ok(status) => status,
        Err(failure) => return vec![failure.to_string()],
    };
    let mut notes = Vec::new();
    if !status.state_reason.is_empty() {
        let text =
            format!("{}: {} {}", state_name(status.state()), status.state_reason, pointer(&status.help_code));
        notes.push(text.trim_end().to_owned());
    }
    if let Some(encryption) = status.encryption.as_ref().filter(|encryption| encryption.enabled) {
        // Why a sealed member has no key is its reason already.
        let explained = status.state() == MemberState::Sealed && !status.state_reason.is_empty();
        notes.extend(of_key(encryption, explained));
    }
    notes.extend(status.warnings.iter().cloned());
    notes.extend(status.notices.iter().cloned());
    let open = status.alerts.iter().filter(|alert| alert.resolved.is_empty()).count();
    match open {
        0 => {}
        1 => notes.push("1 alert is open: `coffer alerts` shows it".to_owned()),
        many => notes.push(format!("{many} alerts are open: `coffer alerts` shows them")),
    }
    notes
}

fn of_key(encryption: &EncryptionStatus, explained: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !encryption.last_error_code.is_empty() && !explained {
        let text = format!(
            "the last answer of KMS was {} {}",
            encryption.last_error_code,
            pointer(&encryption.help_code)
        );
        notes.push(text.trim_end().to_owned());
    }
    if encryption.denied_in_a_row > 0 && !explained {
        let times = if encryption.denied_in_a_row == 1 { "once" } else { "several times in a row" };
        notes.push(format!(
            "KMS denied the key {times}: until it is confirmed or taken back, no Region and no key can be changed {}",
            pointer("CK0034")
        ));
    }
    if encryption.failed_over {
        notes.push(format!(
            "failed over: Region {} is used while home, {}, does not answer",
            encryption.region, encryption.home_region
        ));
    }
    if !encryption.override_region.is_empty() {
        notes.push(format!(
            "Region {} is an override of this member alone; `coffer kms clear-override` takes it back {}",
            encryption.override_region,
            pointer("CK0035")
        ));
    }
    if encryption.shutdown_in_ms > 0 {
        notes.push(format!(
            "it shuts down in {} because home, {}, is silent {}",
            span(encryption.shutdown_in_ms.div_ceil(1000)),
            encryption.home_region,
            pointer("CK0032")
        ));
    }
    // The active Region has its own row.
    notes.extend(encryption.regions.iter().filter(|region| !region.active && unwell(region)).map(of_region));
    notes
}

fn unwell(region: &RegionStatus) -> bool {
    !matches!(region.verdict.as_str(), "accessible" | "unknown" | "")
}

fn of_region(region: &RegionStatus) -> String {
    let name = if region.home { "home Region" } else { "Region" };
    let mut text = format!("{name} {}: {}", region.region, region.verdict);
    if region.denied_in_a_row > 0 {
        text.push_str(&format!(" ×{}", region.denied_in_a_row));
    }
    let details: Vec<&str> = [region.key_state.as_str(), region.last_error_code.as_str()]
        .into_iter()
        .filter(|detail| !detail.is_empty())
        .collect();
    if !details.is_empty() {
        text.push_str(&format!(" ({})", details.join(", ")));
    }
    text
}
