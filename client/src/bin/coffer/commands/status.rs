//! `coffer status`: one row a member, the unreachable and the sealed among them.

use std::fmt::Write;

use coffer_client::MemberReport;
use coffer_client::status::{EncryptionStatus, Member, MemberState, RaftRole, StatusResponse};
use serde_json::{Value, json};

use super::{Context, no_service};
use crate::failure::Failure;
use crate::table::{bytes, grouped, listed, span, table};

/// Runs it. Ends with status 3 where no member serves.
pub async fn run(cx: &mut Context) -> Result<(), Failure> {
    let mut reports = cx.client.admin().status_all().await;
    reports.sort_by_key(|report| report.status.as_ref().map_or(u64::MAX, |status| status.member_id));
    let committed = answers(&reports).map(|status| status.committed_index.max(status.applied_index)).max();
    let json: Vec<Value> = reports.iter().map(|report| to_json(report, committed)).collect();
    cx.output.print(render(&reports, committed), &json!({ "members": json }))?;
    if answers(&reports).any(|status| status.state() == MemberState::Serving) {
        return Ok(());
    }
    Err(Failure::Unreachable(format!("no member serves\n  {}", no_service::why(&reports))))
}

fn answers(reports: &[MemberReport]) -> impl Iterator<Item = &StatusResponse> {
    reports.iter().filter_map(|report| report.status.as_ref().ok())
}

/// The table, with what a person should read below it.
fn render(reports: &[MemberReport], committed: Option<u64>) -> String {
    let mut text = String::new();
    let mut clusters: Vec<&str> = answers(reports).map(|status| status.cluster_id.as_str()).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let leader = answers(reports)
        .filter(|status| status.state() == MemberState::Serving && status.leader_id != 0)
        .max_by_key(|status| status.term);
    let members = leader.map_or(&[][..], |status| &status.members);
    if let Some(status) = leader {
        let _ = write!(text, "cluster {}, {} databases, ", status.cluster_id, status.databases);
        let _ = writeln!(text, "led by member {} in term {}", status.leader_id, status.term);
    } else if let [cluster] = clusters[..] {
        let _ = writeln!(text, "cluster {cluster}, nobody leads");
    }
    let header =
        ["MEMBER", "ENDPOINT", "STATE", "ROLE", "TERM", "APPLIED", "LAG", "CMK", "ENCRYPTION", "LOG", "UP"];
    let mut rows = table(&header, &[0, 4, 5, 6, 9, 10]);
    for report in reports {
        rows.add_row(row(report, members, committed));
    }
    let _ = writeln!(text, "{rows}");
    if clusters.len() > 1 {
        let _ = writeln!(text, "! the endpoints are of different clusters: {}", clusters.join(", "));
    }
    for note in all_notes(reports) {
        let _ = writeln!(text, "! {note}");
    }
    text
}

/// What a person should read, with what all members say alike said once.
fn all_notes(reports: &[MemberReport]) -> Vec<String> {
    let mut said: Vec<(Vec<String>, String)> = Vec::new();
    for report in reports {
        let who = match &report.status {
            Ok(status) => status.member_id.to_string(),
            Err(_) => String::new(),
        };
        for note in notes(report) {
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

fn row(report: &MemberReport, members: &[Member], committed: Option<u64>) -> Vec<String> {
    let Ok(status) = &report.status else {
        let mut row = vec!["-".to_owned(); 11];
        if let Some(member) = members.iter().find(|member| member.address == report.endpoint) {
            row[0] = member.id.to_string();
        }
        row[1].clone_from(&report.endpoint);
        row[2] = "unreachable".to_owned();
        return row;
    };
    // A member without its storage has no index to speak of.
    let open = matches!(status.state(), MemberState::Serving | MemberState::Stopping);
    let number = |value: u64| if open { grouped(value) } else { "-".to_owned() };
    vec![
        status.member_id.to_string(),
        report.endpoint.clone(),
        state_name(status.state()).to_owned(),
        role_name(status.role()).to_owned(),
        number(status.term),
        number(status.applied_index),
        number(lag(status, committed)),
        cmk(status.encryption.as_ref()),
        encryption(status.encryption.as_ref()),
        if open { bytes(status.log_bytes) } else { "-".to_owned() },
        span(status.uptime_seconds),
    ]
}

fn lag(status: &StatusResponse, committed: Option<u64>) -> u64 {
    committed.unwrap_or_default().saturating_sub(status.applied_index)
}

fn cmk(encryption: Option<&EncryptionStatus>) -> String {
    match encryption {
        Some(encryption) if encryption.enabled => match encryption.denied_in_a_row {
            0 => encryption.verdict.clone(),
            denied => format!("{} ×{denied}", encryption.verdict),
        },
        _ => "-".to_owned(),
    }
}

fn encryption(encryption: Option<&EncryptionStatus>) -> String {
    match encryption {
        None => "-".to_owned(),
        Some(encryption) if !encryption.enabled => "OFF".to_owned(),
        Some(encryption) => {
            let parts = [encryption.provider.as_str(), encryption.region.as_str()];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        }
    }
}

/// What a person should read about a member, to stand after its name.
fn notes(report: &MemberReport) -> Vec<String> {
    let status = match &report.status {
        Ok(status) => status,
        Err(failure) => return vec![failure.to_string()],
    };
    let mut notes = Vec::new();
    if !status.state_reason.is_empty() {
        notes.push(format!("{}: {}", state_name(status.state()), status.state_reason));
    }
    // Why a sealed member has no key is its reason already.
    if let Some(encryption) = &status.encryption
        && encryption.enabled
        && !encryption.last_error_code.is_empty()
        && status.state() != MemberState::Sealed
    {
        notes.push(format!("the last answer of KMS was {}", encryption.last_error_code));
    }
    notes.extend(status.warnings.iter().cloned());
    notes
}

fn to_json(report: &MemberReport, committed: Option<u64>) -> Value {
    let status = match &report.status {
        Ok(status) => status,
        Err(failure) => {
            return json!({ "endpoint": report.endpoint, "state": "unreachable", "reason": failure.reason });
        }
    };
    json!({
        "endpoint": report.endpoint,
        "member_id": status.member_id,
        "cluster_id": status.cluster_id,
        "version": status.version,
        "state": state_name(status.state()),
        "reason": status.state_reason,
        "role": role_name(status.role()),
        "leader_id": status.leader_id,
        "leader_address": status.leader_address,
        "term": status.term,
        "last_log_index": status.last_log_index,
        "flushed_index": status.flushed_index,
        "committed_index": status.committed_index,
        "applied_index": status.applied_index,
        "checkpoint_index": status.checkpoint_index,
        "purged_index": status.purged_index,
        "lag": lag(status, committed),
        "log_bytes": status.log_bytes,
        "uptime_seconds": status.uptime_seconds,
        "databases": status.databases,
        "incarnation": status.incarnation,
        "generation": status.generation,
        "members": status.members.iter().map(|member| {
            json!({ "id": member.id, "address": member.address, "voter": member.voter })
        }).collect::<Vec<_>>(),
        "progress": status.progress.iter().map(|progress| {
            json!({ "member_id": progress.member_id, "matched_index": progress.matched_index })
        }).collect::<Vec<_>>(),
        "encryption": status.encryption.as_ref().map(|encryption| json!({
            "enabled": encryption.enabled,
            "cmk_arn": encryption.cmk_arn,
            "region": encryption.region,
            "provider": encryption.provider,
            "verdict": encryption.verdict,
            "last_error_code": encryption.last_error_code,
            "last_probe_age_ms": encryption.last_probe_age_ms,
            "denied_in_a_row": encryption.denied_in_a_row,
        })),
        "warnings": status.warnings,
    })
}

/// The name of a state.
pub fn state_name(state: MemberState) -> &'static str {
    match state {
        MemberState::Unspecified => "unknown",
        MemberState::Starting => "starting",
        MemberState::Sealed => "sealed",
        MemberState::Recovering => "recovering",
        MemberState::Serving => "serving",
        MemberState::Stopping => "stopping",
    }
}

/// The name of a role.
pub fn role_name(role: RaftRole) -> &'static str {
    match role {
        RaftRole::Unspecified => "-",
        RaftRole::Leader => "leader",
        RaftRole::Follower => "follower",
        RaftRole::Candidate => "candidate",
        RaftRole::Learner => "learner",
    }
}

#[cfg(test)]
mod tests {
    use coffer_client::EndpointFailure;

    use super::*;

    fn serving(member_id: u64, applied: u64) -> MemberReport {
        let status = StatusResponse {
            cluster_id: "c1".into(),
            member_id,
            state: MemberState::Serving.into(),
            role: if member_id == 1 { RaftRole::Leader } else { RaftRole::Follower }.into(),
            leader_id: 1,
            members: vec![Member { id: 4, address: "host:4".into(), voter: true }],
            term: 3,
            committed_index: 1500,
            applied_index: applied,
            encryption: Some(EncryptionStatus {
                enabled: true,
                verdict: "accessible".into(),
                provider: "aws".into(),
                region: "eu-central-1".into(),
                ..EncryptionStatus::default()
            }),
            warnings: vec!["the moon is full".into()],
            ..StatusResponse::default()
        };
        MemberReport { endpoint: format!("host:{member_id}"), status: Ok(status) }
    }

    #[test]
    fn every_member_has_a_row_and_warnings_stand_below() {
        let sealed = MemberReport {
            endpoint: "host:3".into(),
            status: Ok(StatusResponse {
                cluster_id: "c1".into(),
                member_id: 3,
                state: MemberState::Sealed.into(),
                state_reason: "the CMK is disabled".into(),
                ..StatusResponse::default()
            }),
        };
        let gone = MemberReport {
            endpoint: "host:4".into(),
            status: Err(EndpointFailure {
                endpoint: "host:4".into(),
                reason: "refused".into(),
                connected: false,
            }),
        };
        let all = render(&[serving(1, 1500), serving(2, 1400), serving(3, 1400)], Some(1500));
        assert_eq!(all.matches("the moon is full").count(), 1, "{all}");
        assert!(all.ends_with("! members 1, 2 and 3: the moon is full\n"), "{all}");
        let text = render(&[serving(1, 1500), serving(2, 1400), sealed, gone], Some(1500));
        let line = |part: &str| text.lines().find(|line| line.contains(part)).unwrap().to_owned();
        assert!(text.starts_with("cluster c1, 0 databases, led by member 1 in term 3\n"), "{text}");
        assert!(line("host:1").contains("leader") && line("host:1").contains("1,500"), "{text}");
        assert!(line("host:2").contains("100") && line("host:2").contains("aws eu-central-1"), "{text}");
        assert!(line("host:3").contains("sealed") && line("host:4").contains("unreachable"), "{text}");
        assert!(text.contains("! member 3: sealed: the CMK is disabled\n"), "{text}");
        assert!(text.contains("! host:4: refused\n! ") || text.ends_with("! host:4: refused\n"), "{text}");
        assert!(text.contains("! members 1 and 2: the moon is full\n"), "{text}");
        assert!(line("host:4").contains("│      4 ┆"), "its id is known from the others: {text}");
    }

    #[test]
    fn encryption_that_is_off_cannot_be_overlooked() {
        assert_eq!(encryption(Some(&EncryptionStatus::default())), "OFF");
        let denied = EncryptionStatus {
            enabled: true,
            verdict: "denied".into(),
            denied_in_a_row: 2,
            ..EncryptionStatus::default()
        };
        assert_eq!(cmk(Some(&denied)), "denied ×2");
    }
}
