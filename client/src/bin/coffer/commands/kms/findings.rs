//! What members found wrong with settings, as a table.

use coffer_client::keys::{KmsChangeResponse, KmsFinding, MemberFindings};
use serde_json::{Value, json};

use crate::help::pointer;
use crate::table::table as new_table;

/// One row a finding, and one for each member without any.
pub fn table(answer: &KmsChangeResponse) -> String {
    let mut rows = new_table(&["MEMBER", "REGION", "RESULT", "KMS SAYS", "PROBLEM"], &[]);
    for finding in &answer.findings {
        rows.add_row(row("-", finding));
    }
    for member in &answer.members {
        let id = member.member_id.to_string();
        match (member.absent, member.findings.is_empty()) {
            (true, true) => rows.add_row([id.as_str(), "-", "absent", "-", "it did not answer (CK0043)"]),
            (false, true) => rows.add_row([id.as_str(), "-", "works", "-", "-"]),
            (_, false) => {
                for finding in &member.findings {
                    rows.add_row(row(&id, finding));
                }
                continue;
            }
        };
    }
    if rows.row_count() == 0 { String::new() } else { format!("{rows}\n") }
}

fn row(member: &str, finding: &KmsFinding) -> [String; 5] {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    [
        member.to_owned(),
        or_dash(&finding.region),
        if finding.warning { "warning" } else { "refused" }.to_owned(),
        or_dash(&finding.error_code),
        said(finding),
    ]
}

/// The problem and the page that explains it.
pub fn said(finding: &KmsFinding) -> String {
    format!("{} {}", finding.problem, pointer(&finding.help_code)).trim().to_owned()
}

/// How many findings keep the change from being accepted.
pub fn problems(answer: &KmsChangeResponse) -> usize {
    let of_members = answer.members.iter().flat_map(|member: &MemberFindings| &member.findings);
    answer.findings.iter().chain(of_members).filter(|finding| !finding.warning).count()
}

/// For programs.
pub fn findings_json(findings: &[KmsFinding]) -> Vec<Value> {
    findings
        .iter()
        .map(|finding| {
            json!({
                "region": finding.region,
                "help_code": finding.help_code,
                "error_code": finding.error_code,
                "problem": finding.problem,
                "warning": finding.warning,
            })
        })
        .collect()
}
