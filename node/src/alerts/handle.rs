//! The alerts of this member, for everybody in it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use coffer_proto::help::find;
use coffer_proto::internal::v1::AlertRecord;

use super::{AlertBook, AlertKind, NewAlert, Transition};
use crate::metrics::alert_raised;
use crate::services::now_ms;

/// The alerts of this member: [`crate::member::Member::alerts`] gives it. Every change is logged once.
///
/// A condition is told as often as it is found, whether it is new or not; only what changed is shown.
pub struct Alerts {
    book: Mutex<AlertBook>,
}

impl Alerts {
    /// No alerts yet. `member` is this member's id.
    pub fn new(member: u64) -> Self {
        Self { book: Mutex::new(AlertBook::new(member)) }
    }

    /// A condition of this member is there. `subject` tells alerts of one kind apart, such as a Region; it may be empty.
    pub fn raise(&self, kind: AlertKind, subject: &str, text: impl Into<String>) {
        self.raise_as(kind, subject, kind.help().as_str(), text);
    }

    /// As [`Alerts::raise`], with the code of a page that is more precise than that of the kind.
    pub fn raise_as(&self, kind: AlertKind, subject: &str, help_code: &str, text: impl Into<String>) {
        let help = find(help_code).unwrap_or(kind.help());
        self.take_in(NewAlert { kind, of_set: false, subject: subject.to_owned(), help, text: text.into() });
    }

    /// A condition of this member is over.
    pub fn resolve(&self, kind: AlertKind, subject: &str) {
        let over = self.book().resolve(kind, subject, now_ms());
        over.iter().for_each(|over| report(kind, over));
    }

    /// Of `kind` nothing holds on this member any more but `subjects`.
    pub fn retain(&self, kind: AlertKind, subjects: &[&str]) {
        let over = self.book().retain(kind, false, subjects, now_ms());
        over.iter().for_each(|over| report(kind, over));
    }

    /// Raises with a text, resolves without.
    pub fn set(&self, kind: AlertKind, subject: &str, text: Option<String>) {
        match text {
            Some(text) => self.raise(kind, subject, text),
            None => self.resolve(kind, subject),
        }
    }

    /// A condition of the replica set is there; the leader alone tells that.
    pub fn raise_of_set(&self, kind: AlertKind, subject: &str, text: impl Into<String>) {
        let (help, text) = (kind.help(), text.into());
        self.take_in(NewAlert { kind, of_set: true, subject: subject.to_owned(), help, text });
    }

    /// Of `kind` nothing holds of the replica set any more but `subjects`; the leader alone tells that.
    pub fn retain_of_set(&self, kind: AlertKind, subjects: &[&str]) {
        let over = self.book().retain(kind, true, subjects, now_ms());
        over.iter().for_each(|over| report(kind, over));
    }

    /// This member does not lead any more: the alerts of the replica set are the new leader's.
    pub fn forget_set(&self) {
        self.book().forget_set();
    }

    /// What is open here, by id; for status and for the report to the leader.
    pub fn open(&self) -> Vec<AlertRecord> {
        self.book().open().cloned().collect()
    }

    /// What was open here and is over, the newest last.
    pub fn history(&self) -> Vec<AlertRecord> {
        self.book().history().cloned().collect()
    }

    /// Notes that `by` has seen the open alert `id` of this member.
    pub fn acknowledge(&self, id: &str, by: &str) -> Option<AlertRecord> {
        self.book().acknowledge(id, by, now_ms())
    }

    fn take_in(&self, alert: NewAlert) {
        let kind = alert.kind;
        let change = self.book().raise(alert, now_ms());
        change.iter().for_each(|change| report(kind, change));
    }

    fn book(&self) -> MutexGuard<'_, AlertBook> {
        // Every change of the book is whole, so a panic elsewhere harms nothing.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(kind: AlertKind, transition: &Transition) {
    match transition {
        Transition::Raised(alert) => {
            alert_raised(kind);
            let AlertRecord { id, kind, help_code, text, .. } = alert;
            if alert.critical {
                tracing::error!(id, kind, help_code, text, "alert");
            } else {
                tracing::warn!(id, kind, help_code, text, "alert");
            }
        }
        Transition::Changed(AlertRecord { id, kind, help_code, text, .. }) => {
            tracing::info!(id, kind, help_code, text, "alert, still or again");
        }
        Transition::Resolved(AlertRecord { id, kind, help_code, .. }) => {
            tracing::info!(id, kind, help_code, "alert resolved");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_raised_is_open_until_it_is_resolved() {
        let alerts = Alerts::new(1);
        alerts.set(AlertKind::Clock, "", Some("a minute off".to_owned()));
        alerts.raise_as(AlertKind::KmsUnreachable, "eu-west-1", "CK0014", "away");
        alerts.raise_of_set(AlertKind::OldCmkNeeded, "arn", "members 2 and 3 need it");
        let open = alerts.open();
        let ids: Vec<_> = open.iter().map(|alert| alert.id.as_str()).collect();
        assert_eq!(ids, ["0/old_cmk_needed/arn", "1/clock", "1/kms_unreachable/eu-west-1"]);
        assert_eq!(open[2].help_code, "CK0014");
        assert!(open[1].raised_ms > 1_700_000_000_000, "by the clock");
        assert_eq!(alerts.acknowledge("1/clock", "ada").unwrap().acknowledged_by, "ada");
        alerts.set(AlertKind::Clock, "", None);
        alerts.retain(AlertKind::KmsUnreachable, &["eu-central-1"]);
        alerts.retain_of_set(AlertKind::OldCmkNeeded, &["arn"]);
        assert_eq!(alerts.open().len(), 1);
        assert_eq!(alerts.history().len(), 2);
        alerts.forget_set();
        assert!(alerts.open().is_empty());
    }
}
