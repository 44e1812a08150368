//! A row for each member: what it does and how far it is.

use coffer_client::MemberReport;
use coffer_client::status::{EncryptionStatus, Member, MemberState, StatusResponse};
use comfy_table::Table;

use super::{role_name, state_name};
use crate::table::{bytes, grouped, span, table as new_table};

/// The rows, in the order of the reports.
pub fn table(reports: &[MemberReport], members: &[Member], committed: Option<u64>) -> Table {
    let header = ["MEMBER", "ENDPOINT", "STATE", "ROLE", "TERM", "APPLIED", "LAG", "ENCRYPTION", "LOG", "UP"];
    let mut rows = new_table(&header, &[0, 4, 5, 6, 8, 9]);
    for report in reports {
        rows.add_row(row(report, members, committed));
    }
    rows
}

fn row(report: &MemberReport, members: &[Member], committed: Option<u64>) -> Vec<String> {
    let Ok(status) = &report.status else {
        let mut row = vec!["-".to_owned(); 10];
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
        encryption(status.encryption.as_ref()),
        if open { bytes(status.log_bytes) } else { "-".to_owned() },
        span(status.uptime_seconds),
    ]
}

/// How far a member is behind the furthest.
pub fn lag(status: &StatusResponse, committed: Option<u64>) -> u64 {
    committed.unwrap_or_default().saturating_sub(status.applied_index)
}

/// Who keeps the customer's key, or that there is none.
pub fn encryption(encryption: Option<&EncryptionStatus>) -> String {
    match encryption {
        None => "-".to_owned(),
        Some(encryption) if !encryption.enabled => "OFF".to_owned(),
        Some(encryption) if encryption.provider.is_empty() => "on".to_owned(),
        Some(encryption) => encryption.provider.clone(),
    }
}
