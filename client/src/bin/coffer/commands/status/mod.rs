//! `coffer status`: one row a member, the unreachable and the sealed among them, and how each stands with the
//! customer's key.

mod json;
mod key_rows;
mod member_rows;
mod notes;

use std::fmt::Write;

use coffer_client::MemberReport;
use coffer_client::status::{MemberState, RaftRole, StatusResponse};
use serde_json::{Value, json};

use self::json::to_json;
use super::{Context, no_service};
use crate::failure::Failure;

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

/// What those that answered said.
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
    let _ = writeln!(text, "{}", member_rows::table(reports, members, committed));
    if let Some(rows) = key_rows::table(reports) {
        let _ = writeln!(text, "{rows}");
    }
    if clusters.len() > 1 {
        let _ = writeln!(text, "! the endpoints are of different clusters: {}", clusters.join(", "));
    }
    for note in notes::all(reports) {
        let _ = writeln!(text, "! {note}");
    }
    text
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
    use coffer_client::keys::{Alert, AlertSeverity};
    use coffer_client::status::{EncryptionStatus, Member, RegionStatus};

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
                home_region: "eu-central-1".into(),
                verdict_age_ms: 125_000,
                last_probe_age_ms: 18_000,
                next_probe_ms: 11_500,
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
        assert!(line("host:2").contains("100") && line("host:2").contains("aws"), "{text}");
        assert!(line("host:3").contains("sealed") && line("host:4").contains("unreachable"), "{text}");
        assert!(text.contains("! member 3: sealed: the CMK is disabled\n"), "{text}");
        assert!(text.contains("! host:4: refused\n! ") || text.ends_with("! host:4: refused\n"), "{text}");
        assert!(text.contains("! members 1 and 2: the moon is full\n"), "{text}");
        assert!(line("host:4").contains("│      4 ┆"), "its id is known from the others: {text}");
    }

    #[test]
    fn encryption_that_is_off_cannot_be_overlooked() {
        assert_eq!(member_rows::encryption(Some(&EncryptionStatus::default())), "OFF");
        let denied = EncryptionStatus {
            enabled: true,
            verdict: "denied".into(),
            denied_in_a_row: 2,
            ..EncryptionStatus::default()
        };
        assert_eq!(key_rows::verdict(&denied), "denied ×2");
    }

    /// A member as `change` makes it, as a person sees it.
    fn shown(change: impl FnOnce(&mut StatusResponse, &mut EncryptionStatus)) -> String {
        let mut report = serving(1, 1500);
        let status = report.status.as_mut().unwrap();
        let mut encryption = status.encryption.take().unwrap();
        change(status, &mut encryption);
        status.encryption = Some(encryption);
        render(&[report], Some(1500))
    }

    #[test]
    fn the_key_rows_are_as_people_know_them() {
        let text = shown(|_, _| {});
        let rows: Vec<&str> = text.lines().skip_while(|line| !line.contains("NEXT PROBE")).collect();
        assert_eq!(
            rows[..3],
            [
                "│ MEMBER ┆ CMK        ┆   FOR ┆ LAST ERROR ┆ NEXT PROBE ┆ REGION       ┆ HOME         ┆ ALERTS │",
                "╞════════╪════════════╪═══════╪════════════╪════════════╪══════════════╪══════════════╪════════╡",
                "│      1 ┆ accessible ┆ 2m 5s ┆ -          ┆ in 12s     ┆ eu-central-1 ┆ eu-central-1 ┆ -      │",
            ]
        );
    }

    #[test]
    fn a_failover_an_override_and_a_silent_home_are_told() {
        let text = shown(|status, encryption| {
            encryption.region = "eu-west-1".into();
            encryption.failed_over = true;
            encryption.last_error_code = "DispatchFailure".into();
            encryption.help_code = "CK0010".into();
            encryption.shutdown_in_ms = 7_500_000;
            encryption.regions = vec![RegionStatus {
                region: "eu-central-1".into(),
                home: true,
                verdict: "unreachable".into(),
                last_error_code: "DispatchFailure".into(),
                ..RegionStatus::default()
            }];
            status.notices = vec!["do not delete the old key yet: members 2 and 3 depend on it".into()];
            let critical = AlertSeverity::Critical.into();
            status.alerts = vec![Alert { severity: critical, ..Alert::default() }, Alert::default()];
        });
        for part in [
            "eu-west-1 (failed over)",
            "DispatchFailure (CK0010)",
            "2, 1 critical",
            "the last answer of KMS was DispatchFailure (CK0010; see `coffer explain CK0010`)",
            "failed over: Region eu-west-1 is used while home, eu-central-1, does not answer",
            "it shuts down in 2h 5m because home, eu-central-1, is silent (CK0032;",
            "home Region eu-central-1: unreachable (DispatchFailure)",
            "! member 1: do not delete the old key yet: members 2 and 3 depend on it",
            "2 alerts are open: `coffer alerts` shows them",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let text = shown(|_, encryption| {
            encryption.override_region = "eu-west-1".into();
            encryption.denied_in_a_row = 1;
            encryption.verdict = "denied".into();
        });
        assert!(text.contains("(override)") && text.contains("clear-override"), "{text}");
        assert!(text.contains("denied ×1") && text.contains("KMS denied the key once"), "{text}");
    }

    #[test]
    fn programs_see_everything() {
        let json = to_json(&serving(1, 1500), Some(1500));
        for field in
            ["settings_version", "alerts", "notices", "help_code", "warnings", "leader_id", "progress"]
        {
            assert!(json.get(field).is_some(), "{field}");
        }
        let encryption = &json["encryption"];
        assert_eq!(encryption["next_probe_ms"], 11_500);
        for field in
            ["home_region", "failed_over", "override_region", "shutdown_in_ms", "regions", "role_arn"]
        {
            assert!(encryption.get(field).is_some(), "{field}");
        }
    }
}
