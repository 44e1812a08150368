//! `coffer alerts`: what members and the replica set want a person to know.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use coffer_client::keys::{Alert, AlertSeverity, AlertsResponse};
use coffer_client::status::MemberState;
use serde_json::{Value, json};

use super::Context;
use super::reach::{Asked, Otherwise, answered, ask, choose, chosen, leader};
use crate::args::{Alerts, AlertsCommand, Members};
use crate::failure::Failure;
use crate::help::pointer;
use crate::table::table;

/// Runs it.
pub async fn run(cx: &mut Context, args: Alerts) -> Result<(), Failure> {
    match args.command {
        Some(AlertsCommand::Ack { id, by }) => acknowledge(cx, &id, &by).await,
        None => {
            let endpoints = chosen(cx, args.members, Otherwise::Every).await?;
            let keys = cx.client.key_admin();
            let asked = ask(&endpoints, async |endpoint| keys.alerts(&endpoint, args.history).await).await;
            let complete = asked.answers.iter().any(|(_, answer)| answer.complete);
            let alerts = merge(asked.answers.iter().map(|(_, answer)| answer));
            let json: Vec<Value> = alerts.iter().map(to_json).collect();
            let text = text(&alerts, args.history);
            cx.output
                .print(text, &json!({ "alerts": json, "complete": complete, "failed": asked.failed() }))?;
            asked.settle("tells no alerts")?;
            if !complete {
                eprintln!(
                    "coffer: the replica set could not be asked: these are the alerts of the members that answer"
                );
            }
            Ok(())
        }
    }
}

/// Each alert once: members know of each other's through the replica set, some later than others. The open ones first,
/// then the grave and the newest.
fn merge<'a>(answers: impl Iterator<Item = &'a AlertsResponse>) -> Vec<Alert> {
    let mut known: BTreeMap<(String, String), (bool, Alert)> = BTreeMap::new();
    for answer in answers {
        for alert in &answer.alerts {
            // A member knows best about itself.
            let own = alert.member_id == answer.member_id;
            // One that is open is open once; when it was raised, some know better than others.
            let over = if alert.resolved.is_empty() { String::new() } else { alert.raised.clone() };
            match known.entry((alert.id.clone(), over)) {
                Entry::Vacant(free) => {
                    free.insert((own, alert.clone()));
                }
                Entry::Occupied(mut entry) => {
                    let (best, kept) = entry.get().clone();
                    let mut merged = if own && !best { alert.clone() } else { kept.clone() };
                    merged.raised = kept.raised.clone().min(alert.raised.clone());
                    if merged.acknowledged.is_empty() {
                        let seen = if alert.acknowledged.is_empty() { &kept } else { alert };
                        merged.acknowledged.clone_from(&seen.acknowledged);
                        merged.acknowledged_by.clone_from(&seen.acknowledged_by);
                    }
                    entry.insert((best || own, merged));
                }
            }
        }
    }
    let mut alerts: Vec<Alert> = known.into_values().map(|(_, alert)| alert).collect();
    alerts.sort_by_key(|alert| {
        (!alert.resolved.is_empty(), Reverse(alert.severity), Reverse(alert.raised.clone()), alert.id.clone())
    });
    alerts
}

fn text(alerts: &[Alert], history: bool) -> String {
    if alerts.is_empty() {
        return if history { "no alerts, now or before" } else { "no alerts" }.to_owned();
    }
    let mut header = vec!["ID", "MEMBER", "SEVERITY", "RAISED", "SEEN BY", "WHAT"];
    if history {
        header.insert(4, "RESOLVED");
    }
    let mut rows = table(&header, &[1]);
    for alert in alerts {
        let mut row = vec![
            alert.id.clone(),
            if alert.member_id == 0 { "all".to_owned() } else { alert.member_id.to_string() },
            severity(alert).to_owned(),
            alert.raised.clone(),
            if alert.acknowledged.is_empty() { "-".to_owned() } else { alert.acknowledged_by.clone() },
            format!("{} {}", alert.text, pointer(&alert.help_code)).trim().to_owned(),
        ];
        if history {
            row.insert(4, if alert.resolved.is_empty() { "open".to_owned() } else { alert.resolved.clone() });
        }
        rows.add_row(row);
    }
    rows.to_string()
}

/// The name of an alert's severity.
pub fn severity(alert: &Alert) -> &'static str {
    match alert.severity() {
        AlertSeverity::Critical => "critical",
        AlertSeverity::Warning => "warning",
        AlertSeverity::Unspecified => "-",
    }
}

/// An alert, for programs.
pub fn to_json(alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "kind": alert.kind,
        "severity": severity(alert),
        "help_code": alert.help_code,
        "member_id": alert.member_id,
        "text": alert.text,
        "raised": alert.raised,
        "acknowledged": alert.acknowledged,
        "acknowledged_by": alert.acknowledged_by,
        "resolved": alert.resolved,
    })
}

/// Acknowledges at the leader, who tells the others; where there is none, or it does not know the alert, at the members
/// that do not serve, each of which keeps its own until it does.
async fn acknowledge(cx: &mut Context, id: &str, by: &str) -> Result<(), Failure> {
    let reports = cx.client.admin().status_all().await;
    let keys = cx.client.key_admin();
    let leading = leader(&reports);
    let waiting = reports.iter().filter(|report| {
        answered(report).is_some_and(|status| leading.is_none() || status.state() != MemberState::Serving)
    });
    let endpoints: Vec<String> =
        leading.into_iter().chain(waiting).map(|report| report.endpoint.clone()).collect();
    if endpoints.is_empty() {
        // Says why nobody answers.
        choose(&reports, Members::default(), Otherwise::First)?;
    }
    let mut asked = Asked::<()> { answers: Vec::new(), failures: Vec::new() };
    for endpoint in endpoints {
        match keys.acknowledge_alert(&endpoint, id, by).await {
            Ok(alert) => {
                let text = format!("{} is acknowledged by {}", alert.id, alert.acknowledged_by);
                cx.output.print(text, &to_json(&alert))?;
                return Ok(());
            }
            Err(error) => asked.failures.push((endpoint, error)),
        }
    }
    asked.settle("did not acknowledge it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(id: &str, member_id: u64, text: &str) -> Alert {
        Alert {
            id: id.into(),
            member_id,
            text: text.into(),
            raised: "2026-11-24T10:00:00Z".into(),
            ..Alert::default()
        }
    }

    #[test]
    fn an_alert_that_several_members_know_is_shown_once() {
        let later = Alert { raised: "2026-11-24T10:04:00Z".into(), ..alert("2/clock/", 2, "off by 7 s") };
        let own = AlertsResponse { member_id: 2, alerts: vec![later], complete: false };
        let seen = Alert {
            acknowledged: "2026-11-24T10:05:00Z".into(),
            acknowledged_by: "kim".into(),
            ..alert("2/clock/", 2, "off by 6 s")
        };
        let other = AlertsResponse {
            member_id: 1,
            alerts: vec![seen, alert("1/override/", 1, "override")],
            complete: true,
        };
        for answers in [[&own, &other], [&other, &own]] {
            let merged = merge(answers.into_iter());
            assert_eq!(merged.len(), 2);
            let clock = &merged[1];
            assert_eq!((clock.text.as_str(), clock.acknowledged_by.as_str()), ("off by 7 s", "kim"));
            assert_eq!(clock.raised, "2026-11-24T10:00:00Z", "since when it is");
        }
    }

    #[test]
    fn the_open_and_the_grave_come_first() {
        let grave = Alert { severity: AlertSeverity::Critical.into(), ..alert("b", 1, "x") };
        let over = Alert { resolved: "2026-11-24T11:00:00Z".into(), ..grave.clone() };
        let newer = Alert { raised: "2026-11-24T10:30:00Z".into(), ..alert("c", 1, "x") };
        let alerts = vec![over, alert("a", 1, "x"), newer, grave];
        let answer = AlertsResponse { member_id: 1, alerts, complete: true };
        let ids: Vec<String> = merge([&answer].into_iter()).into_iter().map(|alert| alert.id).collect();
        assert_eq!(ids, ["b", "c", "a", "b"]);
    }

    #[test]
    fn history_says_what_is_over() {
        let over = Alert { resolved: "2026-11-24T11:00:00Z".into(), ..alert("0/cmk_age/", 0, "old") };
        let shown = text(&[over, alert("1/x/", 1, "y")], true);
        assert!(
            shown.contains("RESOLVED") && shown.contains("11:00:00Z") && shown.contains("open"),
            "{shown}"
        );
        assert!(shown.contains("all"), "{shown}");
        assert_eq!(text(&[], false), "no alerts");
    }
}
