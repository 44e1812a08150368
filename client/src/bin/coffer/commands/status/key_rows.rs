//! A row for each member whose data is sealed: how it stands with the customer's key.

use coffer_client::MemberReport;
use coffer_client::keys::AlertSeverity;
use coffer_client::status::{EncryptionStatus, StatusResponse};
use comfy_table::Table;

use super::answers;
use crate::table::{span, table as new_table};

/// The rows, in the order of the reports; `None` where no member is sealed with a key.
pub fn table(reports: &[MemberReport]) -> Option<Table> {
    let header = ["MEMBER", "CMK", "FOR", "LAST ERROR", "NEXT PROBE", "REGION", "HOME", "ALERTS"];
    let mut rows = new_table(&header, &[0, 2]);
    for status in answers(reports) {
        if let Some(encryption) = status.encryption.as_ref().filter(|encryption| encryption.enabled) {
            rows.add_row(row(status, encryption));
        }
    }
    (rows.row_count() > 0).then_some(rows)
}

fn row(status: &StatusResponse, encryption: &EncryptionStatus) -> [String; 8] {
    let probe = match (encryption.next_probe_ms, encryption.last_probe_age_ms) {
        (0, 0) => "-".to_owned(),
        (0, _) => "now".to_owned(),
        (ms, _) => format!("in {}", span(ms.div_ceil(1000))),
    };
    [
        status.member_id.to_string(),
        verdict(encryption),
        if encryption.verdict_age_ms == 0 { "-".to_owned() } else { span(encryption.verdict_age_ms / 1000) },
        error(encryption),
        probe,
        region(encryption),
        or_dash(&encryption.home_region),
        alerts(status),
    ]
}

/// The verdict, and how often the key was denied in a row.
pub fn verdict(encryption: &EncryptionStatus) -> String {
    match encryption.denied_in_a_row {
        0 => or_dash(&encryption.verdict),
        denied => format!("{} ×{denied}", encryption.verdict),
    }
}

fn error(encryption: &EncryptionStatus) -> String {
    match (encryption.last_error_code.as_str(), encryption.help_code.as_str()) {
        ("", "") => "-".to_owned(),
        (error, "") => error.to_owned(),
        ("", help) => help.to_owned(),
        (error, help) => format!("{error} ({help})"),
    }
}

fn region(encryption: &EncryptionStatus) -> String {
    let marks: Vec<&str> =
        [(encryption.failed_over, "failed over"), (!encryption.override_region.is_empty(), "override")]
            .into_iter()
            .filter_map(|(holds, mark)| holds.then_some(mark))
            .collect();
    match marks.is_empty() {
        true => or_dash(&encryption.region),
        false => format!("{} ({})", encryption.region, marks.join(", ")),
    }
}

fn alerts(status: &StatusResponse) -> String {
    let open = status.alerts.iter().filter(|alert| alert.resolved.is_empty());
    let critical = open.clone().filter(|alert| alert.severity() == AlertSeverity::Critical).count();
    match (open.count(), critical) {
        (0, _) => "-".to_owned(),
        (all, 0) => all.to_string(),
        (all, critical) => format!("{all}, {critical} critical"),
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}
