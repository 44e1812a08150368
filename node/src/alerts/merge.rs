//! The replica set's records of alerts, made by the leader from what the members report: pure, no clock.
//!
//! A record stands for one occurrence of an alert; its id is that of the alert with the moment it was raised. The leader
//! keeps no state of its own: the next one goes on from the records and the reports.
//!
//! Invariants:
//! - Of one alert at most one record is open.
//! - Only the member that an alert is of says that it is over; a member that is silent keeps its alerts, one that left the
//!   replica set loses them.
//! - There are at most [`MAX_HISTORY`] records; the oldest of those that are over go first.

use std::collections::{BTreeMap, BTreeSet};

use coffer_proto::internal::v1::{AlertRecord, MemberKeysRecord, PutSystemRecord};
use coffer_storage::SystemKind;
use prost::Message;

use super::{MAX_HISTORY, MAX_OPEN, SAME_ALERT_MS};

/// Writes that one turn makes at most: the rest comes with the next one.
const MAX_PUTS: usize = 64;

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAlert {
    /// Id of the record.
    pub id: String,
    /// Its revision.
    pub revision: u64,
    /// The alert.
    pub alert: AlertRecord,
}

impl StoredAlert {
    /// Reads what is stored; `None` for what this version cannot read.
    pub fn read(id: String, revision: u64, value: &[u8]) -> Option<Self> {
        Some(Self { id, revision, alert: AlertRecord::decode(value).ok()? })
    }

    /// The write that replaces this record by `alert`.
    pub fn replace(&self, alert: &AlertRecord) -> PutSystemRecord {
        put(&self.id, self.revision, alert)
    }

    fn is_open(&self) -> bool {
        self.alert.resolved_ms == 0
    }
}

/// What has to be written so that the records say what the members report. `members` are those of the replica set, `leader`
/// is the one whose report speaks for the whole of it.
pub fn merge(
    stored: &[StoredAlert],
    reports: &[MemberKeysRecord],
    members: &BTreeSet<u64>,
    leader: u64,
    now_ms: i64,
) -> Vec<PutSystemRecord> {
    let mut turn = Turn::new(stored);
    for report in reports {
        let speaks_for = |owner: u64| owner == report.member_id || (owner == 0 && report.member_id == leader);
        let told: Vec<_> =
            report.alerts.iter().filter(|alert| speaks_for(alert.member_id)).take(MAX_OPEN).collect();
        for alert in &told {
            turn.take_in(alert, now_ms);
        }
        let told: BTreeSet<_> = told.iter().map(|alert| alert.id.as_str()).collect();
        turn.resolve(|alert| speaks_for(alert.member_id) && !told.contains(alert.id.as_str()), now_ms);
    }
    turn.resolve(|alert| alert.member_id != 0 && !members.contains(&alert.member_id), now_ms);
    turn.puts()
}

/// The records as they will be, by id, and which of them change.
struct Turn<'a> {
    stored: BTreeMap<&'a str, &'a StoredAlert>,
    next: BTreeMap<String, AlertRecord>,
    /// The record that is open, or else the one that ended last, by the alert's id.
    latest: BTreeMap<String, String>,
}

impl<'a> Turn<'a> {
    fn new(stored: &'a [StoredAlert]) -> Self {
        let mut latest: BTreeMap<String, &StoredAlert> = BTreeMap::new();
        let rank =
            |record: &StoredAlert| (record.is_open(), record.alert.resolved_ms, record.alert.raised_ms);
        for record in stored {
            let place = latest.entry(record.alert.id.clone()).or_insert(record);
            if rank(record) > rank(place) {
                *place = record;
            }
        }
        Self {
            stored: stored.iter().map(|record| (record.id.as_str(), record)).collect(),
            next: stored.iter().map(|record| (record.id.clone(), record.alert.clone())).collect(),
            latest: latest.into_iter().map(|(alert, record)| (alert, record.id.clone())).collect(),
        }
    }

    /// An alert is open.
    fn take_in(&mut self, alert: &AlertRecord, now_ms: i64) {
        let latest = self.latest.get(&alert.id).and_then(|id| self.next.get_mut(id));
        if let Some(known) = latest
            && (known.resolved_ms == 0 || now_ms - known.resolved_ms < SAME_ALERT_MS)
        {
            known.resolved_ms = 0;
            known.text.clone_from(&alert.text);
            known.help_code.clone_from(&alert.help_code);
            known.critical = alert.critical;
            if known.acknowledged_ms == 0 {
                known.acknowledged_ms = alert.acknowledged_ms;
                known.acknowledged_by.clone_from(&alert.acknowledged_by);
            }
            return;
        }
        // Raised anew, or by a member that was restarted meanwhile: never the id of a record that is over.
        let mut id = record_id(alert, alert.raised_ms);
        if self.next.contains_key(&id) {
            id = record_id(alert, now_ms);
        }
        let record = AlertRecord { resolved_ms: 0, ..alert.clone() };
        self.latest.insert(alert.id.clone(), id.clone());
        self.next.insert(id, record);
    }

    /// The open alerts for which `over` holds are over.
    fn resolve(&mut self, over: impl Fn(&AlertRecord) -> bool, now_ms: i64) {
        for alert in self.next.values_mut().filter(|alert| alert.resolved_ms == 0) {
            if over(alert) {
                alert.resolved_ms = now_ms;
            }
        }
    }

    /// The writes, those that make room first.
    fn puts(self) -> Vec<PutSystemRecord> {
        let mut over: Vec<_> = self.next.iter().filter(|(_, alert)| alert.resolved_ms != 0).collect();
        over.sort_by_key(|(_, alert)| alert.resolved_ms);
        let excess = self.next.len().saturating_sub(MAX_HISTORY);
        let gone: BTreeSet<&str> = over.into_iter().take(excess).map(|(id, _)| id.as_str()).collect();
        let removals = gone.iter().filter_map(|id| self.stored.get(*id)).map(|record| PutSystemRecord {
            remove: true,
            value: prost::bytes::Bytes::new(),
            ..record.replace(&record.alert)
        });
        let kept = self.stored.keys().filter(|id| !gone.contains(**id)).count();
        let room = MAX_HISTORY.saturating_sub(kept);
        let changed = self.next.iter().filter_map(|(id, alert)| match self.stored.get(id.as_str()) {
            Some(record) => {
                (record.alert != *alert && !gone.contains(id.as_str())).then(|| record.replace(alert))
            }
            None => None,
        });
        let new = self
            .next
            .iter()
            .filter(|(id, _)| !self.stored.contains_key(id.as_str()) && !gone.contains(id.as_str()))
            .take(room)
            .map(|(id, alert)| put(id, 0, alert));
        removals.chain(changed).chain(new).take(MAX_PUTS).collect()
    }
}

fn record_id(alert: &AlertRecord, raised_ms: i64) -> String {
    format!("{}@{raised_ms}", alert.id)
}

fn put(id: &str, expected_revision: u64, alert: &AlertRecord) -> PutSystemRecord {
    PutSystemRecord {
        kind: SystemKind::Alert.number(),
        id: id.to_owned(),
        expected_revision,
        value: alert.encode_to_vec().into(),
        ..PutSystemRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::{AlertBook, AlertKind, NewAlert, book};

    /// The records of a replica set, as CAS writes make them.
    #[derive(Default)]
    struct Records {
        stored: Vec<StoredAlert>,
        revision: u64,
    }

    impl Records {
        fn apply(&mut self, puts: &[PutSystemRecord]) {
            for put in puts {
                self.revision += 1;
                let at = self.stored.iter().position(|record| record.id == put.id);
                let present = at.map_or(0, |at| self.stored[at].revision);
                assert_eq!(put.expected_revision, present, "a write of the leader fits what is there");
                if let Some(at) = at {
                    self.stored.remove(at);
                }
                if !put.remove {
                    let record = StoredAlert::read(put.id.clone(), self.revision, &put.value);
                    self.stored.push(record.expect("what was written can be read"));
                }
            }
            assert!(self.stored.len() <= MAX_HISTORY);
        }

        /// One turn of the leader, member 1 of 1 to 3.
        fn turn(&mut self, reports: &[MemberKeysRecord], now_ms: i64) -> usize {
            let puts = merge(&self.stored, reports, &BTreeSet::from([1, 2, 3]), 1, now_ms);
            self.apply(&puts);
            puts.len()
        }

        fn open(&self) -> Vec<&str> {
            let mut open: Vec<_> = self
                .stored
                .iter()
                .filter(|record| record.is_open())
                .map(|record| record.alert.id.as_str())
                .collect();
            open.sort_unstable();
            open
        }
    }

    fn raise(book: &mut AlertBook, kind: AlertKind, of_set: bool, subject: &str, now_ms: i64) {
        let (help, text) = (kind.help(), format!("{subject} at {now_ms}"));
        book.raise(NewAlert { kind, of_set, subject: subject.to_owned(), help, text }, now_ms);
    }

    fn report(member_id: u64, book: &AlertBook) -> MemberKeysRecord {
        MemberKeysRecord { member_id, alerts: book.open().cloned().collect(), ..MemberKeysRecord::default() }
    }

    #[test]
    fn records_follow_the_reports() {
        let (mut one, mut two) = (AlertBook::new(1), AlertBook::new(2));
        let mut records = Records::default();
        raise(&mut one, AlertKind::OldCmkNeeded, true, "arn", 1);
        raise(&mut two, AlertKind::FailedOver, false, "eu-west-1", 2);
        assert_eq!(records.turn(&[report(1, &one), report(2, &two)], 10), 2);
        assert_eq!(records.open(), ["0/old_cmk_needed/arn", "2/failed_over/eu-west-1"]);
        assert_eq!(records.turn(&[report(1, &one), report(2, &two)], 20), 0, "nothing new, nothing written");
        // A silent member keeps its alerts; the leader speaks for the set.
        one.retain(AlertKind::OldCmkNeeded, true, &[], 25);
        assert_eq!(records.turn(&[report(1, &one)], 30), 1);
        assert_eq!(records.open(), ["2/failed_over/eu-west-1"]);
        two.resolve(AlertKind::FailedOver, "eu-west-1", 35);
        assert_eq!(records.turn(&[report(1, &one), report(2, &two)], 40), 1);
        assert!(records.open().is_empty());
        assert_eq!(records.stored.len(), 2, "the history stays");
    }

    #[test]
    fn a_restarted_member_has_the_same_alert_and_an_old_one_is_another() {
        let mut records = Records::default();
        let mut two = AlertBook::new(2);
        raise(&mut two, AlertKind::Clock, false, "", 100);
        records.turn(&[report(2, &two)], 100);
        let mut seen = records.stored[0].alert.clone();
        book::acknowledge(&mut seen, "ada", 150);
        let put = records.stored[0].replace(&seen);
        records.apply(&[put]);
        // Restarted, it has forgotten when it raised the alert and who has seen it.
        let mut again = AlertBook::new(2);
        raise(&mut again, AlertKind::Clock, false, "", 5_000);
        records.turn(&[report(2, &again)], 5_000);
        let alert = &records.stored[0].alert;
        assert_eq!(
            (alert.raised_ms, alert.acknowledged_by.as_str(), alert.text.as_str()),
            (100, "ada", " at 5000")
        );
        // Over, and back within a minute: still the same. Later: another occurrence, with a record of its own.
        records.turn(&[report(2, &AlertBook::new(2))], 6_000);
        assert!(records.open().is_empty());
        records.turn(&[report(2, &again)], 6_000 + SAME_ALERT_MS - 1);
        assert_eq!((records.stored.len(), records.open().len()), (1, 1));
        records.turn(&[report(2, &AlertBook::new(2))], 7_000);
        records.turn(&[report(2, &again)], 7_000 + SAME_ALERT_MS);
        assert_eq!((records.stored.len(), records.open().len()), (2, 1));
        let open = records.stored.iter().find(|record| record.is_open()).unwrap();
        assert_eq!(open.alert.acknowledged_ms, 0, "nobody has seen this one");
    }

    #[test]
    fn an_acknowledgement_on_a_sealed_member_is_taken_over() {
        let mut records = Records::default();
        let mut two = AlertBook::new(2);
        raise(&mut two, AlertKind::Clock, false, "", 1);
        records.turn(&[report(2, &two)], 1);
        two.acknowledge("2/clock", "grace", 2);
        records.turn(&[report(2, &two)], 3);
        assert_eq!(records.stored[0].alert.acknowledged_by, "grace");
    }

    #[test]
    fn a_member_speaks_for_itself_only_and_one_that_left_is_forgotten() {
        let mut records = Records::default();
        let mut two = AlertBook::new(2);
        raise(&mut two, AlertKind::OldCmkNeeded, true, "arn", 1);
        raise(&mut two, AlertKind::Clock, false, "", 1);
        let mut lie = report(2, &two);
        lie.alerts[1].member_id = 3;
        assert_eq!(records.turn(&[lie], 1), 0);
        records.turn(&[report(2, &two)], 1);
        assert_eq!(records.open(), ["2/clock"], "it does not lead");
        let puts = merge(&records.stored, &[], &BTreeSet::from([1, 3]), 1, 2);
        records.apply(&puts);
        assert!(records.open().is_empty());
    }

    #[test]
    fn there_are_never_more_records_than_the_limit() {
        let mut records = Records::default();
        let mut now = 0;
        let mut turns = |records: &mut Records, book: &AlertBook| {
            loop {
                now += 1;
                if records.turn(&[report(2, book)], now) == 0 {
                    break;
                }
            }
        };
        for round in 0..5 {
            let mut book = AlertBook::new(2);
            for n in 0..MAX_OPEN {
                raise(&mut book, AlertKind::StateHashDiffers, false, &format!("{round}-{n}"), 1);
            }
            turns(&mut records, &book);
            assert_eq!(records.open().len(), MAX_OPEN, "what is open is never left out");
        }
        assert_eq!(records.stored.len(), MAX_HISTORY);
        assert!(
            !records.stored.iter().any(|record| record.alert.id.contains("/0-0")),
            "the oldest went first"
        );
    }
}
