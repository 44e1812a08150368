//! What the replica set remembers of the members' audit logs.
//!
//! A head stands for everything before it. Of each member the last [`KEPT`] are kept, so that a log that was put back to an
//! older copy and went on is noticed too; the records take turns.

use std::collections::BTreeMap;
use std::time::Duration;

use coffer_keyring::audit::AuditHead;
use coffer_proto::internal::v1::{AuditHeadRecord, MemberKeysRecord, PutSystemRecord};
use coffer_storage::{StorageError, SystemKind};
use prost::Message;

use crate::alerts::AlertKind;
use crate::member::{Member, Serving};
use crate::system_records::{self, PutError};

/// Heads that are kept of each member.
const KEPT: usize = 4;

/// Version of [`AuditHeadRecord`].
const FORMAT: u32 = 1;

/// How long one write may take.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredHead {
    id: String,
    revision: u64,
    member: u64,
    pub(super) head: AuditHead,
}

/// The records of all members.
pub(super) async fn read(serving: &Serving) -> Result<Vec<StoredHead>, StorageError> {
    let engine = serving.engine.clone();
    let records = tokio::task::spawn_blocking(move || engine.system_records(SystemKind::AuditHead))
        .await
        .map_err(|error| StorageError::io("reading the heads of audit logs", error.into()))??;
    let read = |(id, record): (String, coffer_storage::SystemRecord)| {
        let AuditHeadRecord { member_id, lines, head, .. } = AuditHeadRecord::decode(record.value).ok()?;
        let head = AuditHead { lines, hash: head.as_ref().try_into().ok()? };
        Some(StoredHead { id, revision: record.revision, member: member_id, head })
    };
    Ok(records.into_iter().filter_map(read).collect())
}

/// What the replica set remembers of the log of `member`.
pub(super) fn of_member(stored: &[StoredHead], member: u64) -> Vec<AuditHead> {
    stored.iter().filter(|record| record.member == member).map(|record| record.head).collect()
}

/// Remembers the heads that the members report: one turn of the leader. A log that is shorter than it was, or another one,
/// is an alert.
///
/// # Errors
/// The records cannot be read or written; the next turn does what this one did not.
pub(crate) async fn keep_heads(
    member: &Member,
    serving: &Serving,
    reports: &[MemberKeysRecord],
) -> Result<(), PutError> {
    let stored = read(serving).await.map_err(|error| PutError::Unknown(error.to_string()))?;
    let Turn { puts, suspect } = turn(&stored, reports);
    let subjects: Vec<_> = suspect.keys().map(String::as_str).collect();
    member.alerts().retain_of_set(AlertKind::Audit, &subjects);
    for (subject, text) in &suspect {
        member.alerts().raise_of_set(AlertKind::Audit, subject, text.clone());
    }
    for put in puts {
        system_records::send(&serving.raft, put, WRITE_LIMIT).await?;
    }
    Ok(())
}

/// What one turn does.
struct Turn {
    puts: Vec<PutSystemRecord>,
    /// Texts of alerts, by subject.
    suspect: BTreeMap<String, String>,
}

fn turn(stored: &[StoredHead], reports: &[MemberKeysRecord]) -> Turn {
    let mut turn = Turn { puts: Vec::new(), suspect: BTreeMap::new() };
    for report in reports {
        let Ok(hash) = <[u8; 32]>::try_from(report.audit_head.as_ref()) else { continue };
        let head = AuditHead { lines: report.audit_lines, hash };
        let id = report.member_id;
        let own = stored.iter().filter(|record| record.member == id);
        let newest = own.clone().max_by_key(|record| record.head.lines).map(|record| record.head);
        match newest {
            Some(newest) if head == newest => {}
            Some(newest) if head.lines <= newest.lines => {
                turn.suspect.insert(
                    format!("member {id}"),
                    format!(
                        "the audit log of member {id} has {} lines, and the replica set remembers {} of it with another \
                         end: it was cut, replaced, or put back to an older copy",
                        head.lines, newest.lines
                    ),
                );
            }
            _ if head.lines == 0 => {}
            _ => {
                // The place of the oldest, or one that is free.
                let oldest = own.clone().min_by_key(|record| record.head.lines);
                let (place, revision) = match oldest {
                    Some(oldest) if own.clone().count() >= KEPT => (oldest.id.clone(), oldest.revision),
                    _ => {
                        let free = (0..KEPT).map(|n| format!("{id}/{n}"));
                        let taken = |place: &String| own.clone().any(|record| record.id == *place);
                        let Some(place) = free.into_iter().find(|place| !taken(place)) else { continue };
                        (place, 0)
                    }
                };
                turn.puts.push(put(place, revision, id, head));
            }
        }
    }
    turn
}

fn put(id: String, expected_revision: u64, member_id: u64, head: AuditHead) -> PutSystemRecord {
    let record =
        AuditHeadRecord { format: FORMAT, member_id, lines: head.lines, head: head.hash.to_vec().into() };
    PutSystemRecord {
        kind: SystemKind::AuditHead.number(),
        id,
        expected_revision,
        value: record.encode_to_vec().into(),
        ..PutSystemRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: u64, byte: u8) -> AuditHead {
        AuditHead { lines, hash: [byte; 32] }
    }

    fn report(member_id: u64, head: AuditHead) -> MemberKeysRecord {
        let (audit_lines, audit_head) = (head.lines, head.hash.to_vec().into());
        MemberKeysRecord { member_id, audit_lines, audit_head, ..MemberKeysRecord::default() }
    }

    fn apply(stored: &mut Vec<StoredHead>, turn: &Turn) {
        for put in &turn.puts {
            let present = stored.iter().position(|record| record.id == put.id);
            assert_eq!(put.expected_revision, present.map_or(0, |at| stored[at].revision));
            if let Some(at) = present {
                stored.remove(at);
            }
            let record = AuditHeadRecord::decode(put.value.clone()).unwrap();
            let hash = record.head.as_ref().try_into().unwrap();
            let head = AuditHead { lines: record.lines, hash };
            let revision = 1 + stored.iter().map(|record| record.revision).max().unwrap_or(0);
            stored.push(StoredHead { id: put.id.clone(), revision, member: record.member_id, head });
        }
    }

    #[test]
    fn the_last_heads_of_each_member_are_kept() {
        let mut stored = Vec::new();
        for lines in 1..=10 {
            let reports = [report(1, head(lines, 1)), report(2, head(2 * lines, 2))];
            let turn = turn(&stored, &reports);
            assert!(turn.suspect.is_empty());
            apply(&mut stored, &turn);
        }
        let mut lines: Vec<_> = of_member(&stored, 1).iter().map(|head| head.lines).collect();
        lines.sort_unstable();
        assert_eq!(lines, [7, 8, 9, 10]);
        assert_eq!(of_member(&stored, 2).len(), KEPT);
        assert_eq!(of_member(&stored, 3), []);
        // Nothing new, nothing written; a member without a log says nothing.
        let same = [report(1, head(10, 1)), report(3, head(0, 0)), MemberKeysRecord::default()];
        assert!(turn(&stored, &same).puts.is_empty());
    }

    #[test]
    fn a_log_that_became_shorter_or_another_is_told_and_not_taken() {
        let mut stored = Vec::new();
        let first = turn(&stored, &[report(1, head(10, 1))]);
        apply(&mut stored, &first);
        for other in [head(9, 1), head(10, 2), head(0, 0)] {
            let turn = turn(&stored, &[report(1, other)]);
            assert!(turn.puts.is_empty(), "{other:?}");
            assert!(turn.suspect["member 1"].contains("remembers 10"), "{:?}", turn.suspect);
        }
    }
}
