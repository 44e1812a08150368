//! `coffer alerts`: what members and the replica set want a person to know.

use std::collections::BTreeMap;

use coffer_client::keys::{Alert, AlertSeverity, AlertsResponse};
use serde_json::{Value, json};

use super::Context;
use super::reach::{Otherwise, answered, ask, choose, chosen, leader};
use crate::args::{Alerts, AlertsCommand};
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

/// Each alert once: members know of each other's through the replica set, some later than others.
fn merge<'a>(answers: impl Iterator<Item = &'a AlertsResponse>) -> Vec<Alert> {
    let mut known: BTreeMap<(String, String), (bool, Alert)> = BTreeMap::new();
    for answer in answers {
        for alert in &answer.alerts {
            // A member knows best about itself.
            let own = alert.member_id == answer.member_id;
            let key = (alert.raised.clone(), alert.id.clone());
            match known.get_mut(&key) {
                None => {
                    known.insert(key, (own, alert.clone()));
                }
                Some((best, kept)) => {
                    let mut merged = if own && !*best { alert.clone() } else { kept.clone() };
                    for other in [&*kept, alert] {
                        if merged.acknowledged.is_empty() && !other.acknowledged.is_empty() {
                            merged.acknowledged.clone_from(&other.acknowledged);
                            merged.acknowledged_by.clone_from(&other.acknowledged_by);
                        }
                        if merged.resolved.is_empty() {
                            merged.resolved.clone_from(&other.resolved);
                        }
                    }
                    *kept = merged;
                    *best |= own;
                }
            }
        }
    }
    known.into_values().map(|(_, alert)| alert).collect()
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
/// that do.
async fn acknowledge(cx: &mut Context, id: &str, by: &str) -> Result<(), Failure> {
    let reports = cx.client.admin().status_all().await;
    let keys = cx.client.key_admin();
    let mut endpoints: Vec<String> =
        leader(&reports).map(|report| report.endpoint.clone()).into_iter().collect();
    let answering = reports.iter().filter(|report| answered(report).is_some());
    let others: Vec<String> =
        answering.map(|report| report.endpoint.clone()).filter(|other| !endpoints.contains(other)).collect();
    endpoints.extend(others);
    if endpoints.is_empty() {
        choose(&reports, crate::args::Members::default(), Otherwise::First)?;
    }
    let mut refusals = Vec::new();
    for endpoint in &endpoints {
        match keys.acknowledge_alert(endpoint, id, by).await {
            Ok(alert) => {
                let text = format!("{} is acknowledged by {}", alert.id, alert.acknowledged_by);
                cx.output.print(text, &to_json(&alert))?;
                return Ok(());
            }
            Err(error) => refusals.push((endpoint.clone(), error)),
        }
    }
    let asked = super::reach::Asked::<()> { answers: Vec::new(), failures: refusals };
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
        let own = AlertsResponse {
            member_id: 2,
            alerts: vec![alert("2/clock/", 2, "off by 7 s")],
            complete: false,
        };
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
            assert_eq!((merged[1].text.as_str(), merged[1].acknowledged_by.as_str()), ("off by 7 s", "kim"));
        }
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
