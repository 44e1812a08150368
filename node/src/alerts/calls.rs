//! The calls Alerts and AcknowledgeAlert.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use coffer_proto::internal::v1::AlertRecord;
use coffer_proto::v1::{AcknowledgeAlertRequest, AcknowledgeAlertResponse, AlertsRequest, AlertsResponse};

use super::{StoredAlert, records, to_public};
use crate::member::Member;
use crate::services::{Refusal, ServiceError, refuse_unless_leader};
use crate::system_records::PutError;

/// What is open, and with `history` what is over. Of this member in any state; of the others where it serves.
pub(crate) async fn list(member: &Member, request: &AlertsRequest) -> AlertsResponse {
    let stored = match member.serving() {
        Ok(serving) => records::read(&serving.engine)
            .await
            .inspect_err(|error| tracing::warn!(%error, "the replica set's alerts cannot be read"))
            .ok(),
        Err(_) => None,
    };
    let complete = stored.is_some();
    let own = Own {
        id: member.identity().member_id.0,
        open: member.alerts().open(),
        over: if request.history { member.alerts().history() } else { Vec::new() },
    };
    let alerts = together(own, &stored.unwrap_or_default(), request.history);
    let member_id = member.identity().member_id.0;
    AlertsResponse { member_id, alerts: alerts.iter().map(to_public).collect(), complete }
}

/// Notes that a person has seen an alert: in the replica set's record, at the leader; on a member that does not serve, in
/// its memory, from where its next report takes it.
///
/// # Errors
/// No such alert is open; or the member serves and does not lead.
pub(crate) async fn acknowledge(
    member: &Member,
    request: AcknowledgeAlertRequest,
) -> Result<AcknowledgeAlertResponse, ServiceError> {
    let AcknowledgeAlertRequest { id, by } = request;
    if by.is_empty() {
        return Err(Refusal::argument("say who has seen the alert: `by` is empty").into());
    }
    let stored = match member.serving() {
        Err(_) => None,
        Ok(serving) => {
            refuse_unless_leader(&serving.raft)?;
            records::acknowledge_stored(&serving, &id, &by).await.map_err(|error| match error {
                PutError::NotLeader(hint) => ServiceError::NotLeader(hint),
                other => ServiceError::internal("acknowledging an alert", &other),
            })?
        }
    };
    // Also where it is stored: this member's own status shows it at once.
    let own = member.alerts().acknowledge(&id, &by);
    let alert = stored.or(own);
    let refusal = || Refusal::argument("no alert of that id is open; `coffer alerts` lists those that are");
    let alert = alert.ok_or_else(refusal)?;
    Ok(AcknowledgeAlertResponse { alert: Some(to_public(&alert)) })
}

/// What this member knows of itself.
struct Own {
    id: u64,
    open: Vec<AlertRecord>,
    over: Vec<AlertRecord>,
}

/// This member's own alerts and the replica set's records of all: of itself a member knows better what is open, and the
/// records who has seen it and since when it is. The open ones first, the grave and the newest of them first.
fn together(own: Own, stored: &[StoredAlert], history: bool) -> Vec<AlertRecord> {
    let mut open: Vec<_> = own
        .open
        .into_iter()
        .map(|alert| match stored.iter().find(|record| is_open(record) && record.alert.id == alert.id) {
            Some(record) => AlertRecord {
                text: alert.text,
                help_code: alert.help_code,
                critical: alert.critical,
                ..record.alert.clone()
            },
            None => alert,
        })
        .collect();
    let shown: BTreeSet<_> = open.iter().map(|alert| alert.id.clone()).collect();
    let others = stored.iter().filter(|record| is_open(record) && record.alert.member_id != own.id);
    open.extend(others.map(|record| record.alert.clone()).filter(|alert| !shown.contains(&alert.id)));
    open.sort_by_key(|alert| (!alert.critical, Reverse(alert.raised_ms), alert.id.clone()));
    if !history {
        return open;
    }
    let is_stored = |alert: &AlertRecord| {
        stored.iter().any(|record| {
            let known = &record.alert;
            known.id == alert.id && known.raised_ms <= alert.raised_ms && known.resolved_ms >= alert.raised_ms
        })
    };
    let mut over: Vec<_> = own.over.into_iter().filter(|alert| !is_stored(alert)).collect();
    over.extend(stored.iter().filter(|record| !is_open(record)).map(|record| record.alert.clone()));
    over.sort_by_key(|alert| (Reverse(alert.resolved_ms), alert.id.clone()));
    open.extend(over);
    open
}

fn is_open(record: &StoredAlert) -> bool {
    record.alert.resolved_ms == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(id: &str, raised_ms: i64, resolved_ms: i64) -> AlertRecord {
        let member_id = id.split('/').next().unwrap().parse().unwrap();
        AlertRecord { id: id.to_owned(), member_id, raised_ms, resolved_ms, ..AlertRecord::default() }
    }

    fn stored(alerts: &[AlertRecord]) -> Vec<StoredAlert> {
        let record =
            |alert: &AlertRecord| StoredAlert { id: String::new(), revision: 1, alert: alert.clone() };
        alerts.iter().map(record).collect()
    }

    fn ids(alerts: &[AlertRecord]) -> Vec<(&str, i64)> {
        alerts.iter().map(|alert| (alert.id.as_str(), alert.raised_ms)).collect()
    }

    #[test]
    fn a_member_knows_of_itself_and_the_records_of_the_others() {
        let seen = AlertRecord {
            acknowledged_ms: 7,
            acknowledged_by: "ada".to_owned(),
            text: "old words".to_owned(),
            ..alert("1/clock", 5, 0)
        };
        let records = stored(&[
            seen,
            alert("1/failed_over/x", 5, 0),
            AlertRecord { critical: true, ..alert("2/denial_pending/x", 3, 0) },
            alert("0/cmk_age", 9, 0),
            alert("2/clock", 1, 2),
        ]);
        let own = |over| Own {
            id: 1,
            open: vec![AlertRecord { text: "new words".to_owned(), ..alert("1/clock", 50, 0) }],
            over,
        };
        let open = together(own(Vec::new()), &records, false);
        // What this member says is over is over, whatever the record still says.
        assert_eq!(ids(&open), [("2/denial_pending/x", 3), ("0/cmk_age", 9), ("1/clock", 5)]);
        assert_eq!((open[2].acknowledged_by.as_str(), open[2].text.as_str()), ("ada", "new words"));
        let own = own(vec![alert("1/failed_over/x", 6, 60), alert("1/override", 8, 80)]);
        let all = together(own, &stored(&[alert("1/failed_over/x", 5, 61), alert("2/clock", 1, 2)]), true);
        assert_eq!(ids(&all), [("1/clock", 50), ("1/override", 8), ("1/failed_over/x", 5), ("2/clock", 1)]);
    }

    #[test]
    fn without_records_there_is_what_the_member_knows() {
        let own = Own { id: 1, open: vec![alert("1/clock", 5, 0)], over: vec![alert("1/override", 1, 2)] };
        assert_eq!(ids(&together(own, &[], true)), [("1/clock", 5), ("1/override", 1)]);
    }
}
