//! The alerts of one member: pure, no clock.
//!
//! Invariants:
//! - Of one id at most one alert is open.
//! - What is over stands in the history in the order in which it ended, the newest last.

use std::collections::{BTreeMap, VecDeque};

use coffer_proto::internal::v1::AlertRecord;

use super::new_alert::{alert_id, cut};
use super::{AlertKind, MAX_HISTORY, MAX_OPEN, NewAlert, SAME_ALERT_MS};

/// Longest name of who acknowledged, in bytes.
const MAX_BY: usize = 128;

/// What a call changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Transition {
    /// The condition is new.
    Raised(AlertRecord),
    /// It is back within a minute, or is told in other words.
    Changed(AlertRecord),
    /// It is over.
    Resolved(AlertRecord),
}

/// The open alerts of one member, and those that are over.
#[derive(Debug)]
pub struct AlertBook {
    member: u64,
    open: BTreeMap<String, AlertRecord>,
    history: VecDeque<AlertRecord>,
}

impl AlertBook {
    /// A book without alerts.
    pub fn new(member: u64) -> Self {
        Self { member, open: BTreeMap::new(), history: VecDeque::new() }
    }

    /// Takes in that a condition is there. `None` where nothing changed, or where so many are open that there is no room.
    pub fn raise(&mut self, alert: NewAlert, now_ms: i64) -> Option<Transition> {
        let new = alert.record(self.member, now_ms);
        if let Some(open) = self.open.get_mut(&new.id) {
            let same = open.text == new.text && open.help_code == new.help_code;
            open.text = new.text;
            open.help_code = new.help_code;
            return (!same).then(|| Transition::Changed(open.clone()));
        }
        if self.open.len() >= MAX_OPEN {
            return None;
        }
        let recent = |old: &AlertRecord| old.id == new.id && now_ms - old.resolved_ms < SAME_ALERT_MS;
        let again = self.history.iter().rposition(recent).and_then(|at| self.history.remove(at));
        let transition = match again {
            Some(old) => {
                let reopened =
                    AlertRecord { text: new.text, help_code: new.help_code, resolved_ms: 0, ..old };
                Transition::Changed(reopened)
            }
            None => Transition::Raised(new),
        };
        let (Transition::Raised(open) | Transition::Changed(open) | Transition::Resolved(open)) = &transition;
        self.open.insert(open.id.clone(), open.clone());
        Some(transition)
    }

    /// Takes in that a condition of this member is over.
    pub fn resolve(&mut self, kind: AlertKind, subject: &str, now_ms: i64) -> Option<Transition> {
        self.close(&alert_id(self.member, kind, subject), now_ms)
    }

    /// Takes in that a condition of the replica set is over.
    pub fn resolve_of_set(&mut self, kind: AlertKind, subject: &str, now_ms: i64) -> Option<Transition> {
        self.close(&alert_id(0, kind, subject), now_ms)
    }

    /// Takes in that of `kind` nothing holds any more but `subjects`, of this member or, with `of_set`, of the replica set.
    pub fn retain(
        &mut self,
        kind: AlertKind,
        of_set: bool,
        subjects: &[&str],
        now_ms: i64,
    ) -> Vec<Transition> {
        let owner = if of_set { 0 } else { self.member };
        let kept: Vec<_> = subjects.iter().map(|subject| alert_id(owner, kind, subject)).collect();
        let over = |alert: &&AlertRecord| {
            alert.kind == kind.name() && alert.member_id == owner && !kept.contains(&alert.id)
        };
        let over: Vec<_> = self.open.values().filter(over).map(|alert| alert.id.clone()).collect();
        over.iter().filter_map(|id| self.close(id, now_ms)).collect()
    }

    /// Forgets the alerts of the replica set, without a word: another member leads and knows them.
    pub fn forget_set(&mut self) {
        self.open.retain(|_, alert| alert.member_id != 0);
        self.history.retain(|alert| alert.member_id != 0);
    }

    /// Notes that `by` has seen the open alert `id`; the first one stands.
    pub fn acknowledge(&mut self, id: &str, by: &str, now_ms: i64) -> Option<AlertRecord> {
        let alert = self.open.get_mut(id)?;
        acknowledge(alert, by, now_ms);
        Some(alert.clone())
    }

    /// What is open, by id.
    pub fn open(&self) -> impl Iterator<Item = &AlertRecord> {
        self.open.values()
    }

    /// What is over, the newest last.
    pub fn history(&self) -> impl Iterator<Item = &AlertRecord> {
        self.history.iter()
    }

    fn close(&mut self, id: &str, now_ms: i64) -> Option<Transition> {
        let mut alert = self.open.remove(id)?;
        alert.resolved_ms = now_ms;
        if self.history.len() >= MAX_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(alert.clone());
        Some(Transition::Resolved(alert))
    }
}

/// Notes who has seen an alert; the first one stands.
pub(super) fn acknowledge(alert: &mut AlertRecord, by: &str, now_ms: i64) {
    if alert.acknowledged_ms == 0 {
        alert.acknowledged_ms = now_ms;
        alert.acknowledged_by = cut(by, MAX_BY).to_owned();
    }
}

#[cfg(test)]
mod tests {
    use coffer_proto::help::HelpCode;

    use super::*;

    fn alert(kind: AlertKind, subject: &str, text: &str) -> NewAlert {
        NewAlert {
            kind,
            of_set: false,
            subject: subject.to_owned(),
            help: kind.help(),
            text: text.to_owned(),
        }
    }

    fn unreachable(text: &str) -> NewAlert {
        alert(AlertKind::KmsUnreachable, "eu-central-1", text)
    }

    fn ids(book: &AlertBook) -> Vec<&str> {
        book.open().map(|alert| alert.id.as_str()).collect()
    }

    #[test]
    fn a_condition_is_raised_once_while_it_lasts() {
        let mut book = AlertBook::new(2);
        let Some(Transition::Raised(raised)) = book.raise(unreachable("no answer"), 10) else { panic!() };
        assert_eq!((raised.id.as_str(), raised.member_id), ("2/kms_unreachable/eu-central-1", 2));
        assert_eq!((raised.raised_ms, raised.help_code.as_str(), raised.critical), (10, "CK0010", true));
        assert_eq!(book.raise(unreachable("no answer"), 20), None);
        // Other words, or another page, are worth showing, but the alert stays the same.
        let stated = NewAlert { help: HelpCode::NoCredentials, ..unreachable("no credentials") };
        let Some(Transition::Changed(changed)) = book.raise(stated, 30) else { panic!() };
        assert_eq!((changed.raised_ms, changed.help_code.as_str()), (10, "CK0011"));
        // Another subject is another alert.
        book.raise(alert(AlertKind::KmsUnreachable, "eu-west-1", "no answer"), 40);
        assert_eq!(ids(&book), ["2/kms_unreachable/eu-central-1", "2/kms_unreachable/eu-west-1"]);
        let Some(Transition::Resolved(over)) = book.resolve(AlertKind::KmsUnreachable, "eu-central-1", 50)
        else {
            panic!()
        };
        assert_eq!((over.raised_ms, over.resolved_ms), (10, 50));
        assert_eq!(book.resolve(AlertKind::KmsUnreachable, "eu-central-1", 60), None);
        assert_eq!(ids(&book), ["2/kms_unreachable/eu-west-1"]);
        assert_eq!(book.history().count(), 1);
    }

    #[test]
    fn what_flaps_is_one_alert() {
        let mut book = AlertBook::new(1);
        book.raise(unreachable("a"), 0);
        book.acknowledge("1/kms_unreachable/eu-central-1", "ada", 5);
        for turn in 1..100_i64 {
            book.resolve(AlertKind::KmsUnreachable, "eu-central-1", turn * SAME_ALERT_MS);
            let back = book.raise(unreachable("a"), turn * SAME_ALERT_MS + SAME_ALERT_MS - 1);
            let Some(Transition::Changed(back)) = back else { panic!("{back:?}") };
            assert_eq!((back.raised_ms, back.resolved_ms), (0, 0));
            assert_eq!(back.acknowledged_by, "ada", "it is the same alert");
        }
        assert_eq!(book.history().count(), 0);
        // After a minute it is another one.
        book.resolve(AlertKind::KmsUnreachable, "eu-central-1", 0);
        let later = book.raise(unreachable("a"), SAME_ALERT_MS);
        let Some(Transition::Raised(later)) = later else { panic!("{later:?}") };
        assert_eq!((later.raised_ms, later.acknowledged_ms), (SAME_ALERT_MS, 0));
        assert_eq!(book.history().count(), 1);
    }

    #[test]
    fn an_acknowledgement_is_of_one_alert_and_the_first_one_stands() {
        let mut book = AlertBook::new(1);
        assert_eq!(book.acknowledge("1/clock", "ada", 1), None);
        book.raise(alert(AlertKind::Clock, "", "off"), 1);
        let seen = book.acknowledge("1/clock", &"a".repeat(1_000), 2).unwrap();
        assert_eq!((seen.acknowledged_ms, seen.acknowledged_by.len()), (2, MAX_BY));
        assert_eq!(book.acknowledge("1/clock", "grace", 3).unwrap().acknowledged_ms, 2);
        book.raise(alert(AlertKind::Clock, "", "still off"), 4);
        assert_eq!(book.open().next().unwrap().acknowledged_ms, 2);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut book = AlertBook::new(1);
        for n in 0..MAX_HISTORY + 10 {
            let subject = n.to_string();
            book.raise(alert(AlertKind::DatabaseRotationDelayed, &subject, ""), 0);
            book.resolve(AlertKind::DatabaseRotationDelayed, &subject, 1);
        }
        assert_eq!(book.history().count(), MAX_HISTORY);
        assert!(book.history().next().unwrap().id.ends_with("/10"), "the oldest went");
        for n in 0..MAX_OPEN + 10 {
            let raised = book.raise(alert(AlertKind::StateHashDiffers, &n.to_string(), ""), 0);
            assert_eq!(raised.is_some(), n < MAX_OPEN);
        }
        assert_eq!(book.open().count(), MAX_OPEN);
    }

    #[test]
    fn alerts_of_a_kind_end_together_and_those_of_the_set_are_forgotten() {
        let mut book = AlertBook::new(1);
        for subject in ["2", "3", "4"] {
            let own = alert(AlertKind::RotationOverdue, subject, "");
            book.raise(NewAlert { of_set: true, ..own.clone() }, 0);
            book.raise(own, 0);
        }
        let over = book.retain(AlertKind::RotationOverdue, true, &["3"], 9);
        assert_eq!(over.len(), 2);
        assert_eq!(book.open().filter(|alert| alert.member_id == 0).count(), 1);
        assert_eq!(book.open().filter(|alert| alert.member_id == 1).count(), 3);
        assert!(book.resolve_of_set(AlertKind::RotationOverdue, "3", 9).is_some());
        book.raise(NewAlert { of_set: true, ..alert(AlertKind::RotationOverdue, "5", "") }, 0);
        book.forget_set();
        assert_eq!((book.open().count(), book.history().count()), (3, 0));
    }
}
