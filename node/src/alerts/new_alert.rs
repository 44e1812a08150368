//! A condition that is to be raised.

use coffer_proto::help::HelpCode;
use coffer_proto::internal::v1::AlertRecord;

use super::AlertKind;

/// Version of [`AlertRecord`].
const FORMAT: u32 = 1;

/// Longest subject in bytes: an ARN fits, and an id with it stays below the limit of a system record's.
const MAX_SUBJECT: usize = 160;

/// Longest text in bytes: enough for what a service says, and a report with all alerts fits into a message.
const MAX_TEXT: usize = 1_024;

/// A condition that is to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// What it is about.
    pub kind: AlertKind,
    /// Whether it is the whole replica set's, not only this member's.
    pub of_set: bool,
    /// Tells alerts of one kind apart: a Region, a key, a database's id; may be empty.
    pub subject: String,
    /// The page that explains it.
    pub help: HelpCode,
    /// For a person.
    pub text: String,
}

impl NewAlert {
    /// The record of it, open since `now_ms`, as member `member` raises it.
    pub(super) fn record(self, member: u64, now_ms: i64) -> AlertRecord {
        let owner = if self.of_set { 0 } else { member };
        AlertRecord {
            format: FORMAT,
            id: alert_id(owner, self.kind, &self.subject),
            kind: self.kind.name().to_owned(),
            critical: self.kind.is_critical(),
            help_code: self.help.as_str().to_owned(),
            member_id: owner,
            text: cut(&self.text, MAX_TEXT).to_owned(),
            raised_ms: now_ms,
            ..AlertRecord::default()
        }
    }
}

/// The id of an alert; `member` 0: the whole replica set.
pub(super) fn alert_id(member: u64, kind: AlertKind, subject: &str) -> String {
    match cut(subject, MAX_SUBJECT) {
        "" => format!("{member}/{}", kind.name()),
        subject => format!("{member}/{}/{subject}", kind.name()),
    }
}

/// `text`, or as much of its beginning as `limit` bytes hold.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_a_text_have_a_limit() {
        let alert = NewAlert {
            kind: AlertKind::CmkAge,
            of_set: true,
            subject: "é".repeat(1_000),
            help: HelpCode::CmkTooOld,
            text: "ü".repeat(10_000),
        };
        let record = alert.record(3, 7);
        assert!(record.id.starts_with("0/cmk_age/éé") && record.id.len() <= 200, "{}", record.id.len());
        assert_eq!(record.text.len(), MAX_TEXT);
        assert_eq!((record.member_id, record.raised_ms), (0, 7));
        assert_eq!(alert_id(3, AlertKind::Clock, ""), "3/clock");
    }
}
