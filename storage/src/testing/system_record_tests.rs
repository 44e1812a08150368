//! The replica set's own records: compared, stored, limited, carried over by snapshots and crashes.

use bson::doc;
use coffer_proto::internal::v1::{Command, CommandResult, PutSystemRecord, command::Action};
use openraft::EntryPayload;

use super::{
    TestNode,
    commands::{create_database, insert, put_system},
    conformance::carry_over,
};
use crate::{
    SystemKind,
    engine::FEATURE,
    error::StorageError,
    raft::{Entry, Proposal, wire},
    snapshot::{PinnedView, SnapshotSource},
};

fn node(dir: &std::path::Path, id: u64) -> TestNode {
    let mut node = TestNode::open(dir, id);
    // Index 0 is always a membership in a real log.
    node.append(EntryPayload::Blank);
    node
}

fn put(node: &mut TestNode, action: PutSystemRecord) -> CommandResult {
    node.run_command(command(FEATURE, Action::PutSystemRecord(action)))
}

fn command(feature: u32, action: Action) -> Command {
    Command { format: wire::FORMAT, feature, action: Some(action), ..Command::default() }
}

fn code_name(result: &CommandResult) -> &str {
    result.error.as_ref().map_or("", |error| &error.code_name)
}

fn value(node: &TestNode, kind: SystemKind, id: &str) -> Option<(u64, Vec<u8>)> {
    let record = node.engine.system_record(kind, id).unwrap();
    record.map(|record| (record.revision, record.value.to_vec()))
}

#[test]
fn a_record_is_replaced_by_who_knows_its_revision() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(dir.path(), 1);
    let mut changes = node.engine.system_changes();
    changes.mark_unchanged();
    let kind = SystemKind::Settings;
    assert_eq!(value(&node, kind, ""), None);
    let early = put(&mut node, put_system(kind, "", 7, b"early"));
    assert_eq!((code_name(&early), early.revision), ("RevisionConflict", 0));
    let first = put(&mut node, put_system(kind, "", 0, b"first"));
    assert_eq!((code_name(&first), first.revision), ("", first.applied_index));
    assert!(changes.has_changed().unwrap());
    assert_eq!(value(&node, kind, ""), Some((first.revision, b"first".to_vec())));
    let late = put(&mut node, put_system(kind, "", 0, b"late"));
    assert_eq!((code_name(&late), late.revision), ("RevisionConflict", first.revision));
    let second = put(&mut node, put_system(kind, "", first.revision, b"second"));
    assert_eq!(value(&node, kind, ""), Some((second.revision, b"second".to_vec())));
    let third = put(&mut node, PutSystemRecord { unconditional: true, ..put_system(kind, "", 0, b"3") });
    assert_eq!(value(&node, kind, ""), Some((third.revision, b"3".to_vec())));
    // The same id of another kind is another record.
    assert_eq!(value(&node, SystemKind::Targets, ""), None);
    let remove = |revision| PutSystemRecord { remove: true, ..put_system(kind, "", revision, b"") };
    assert_eq!(code_name(&put(&mut node, remove(second.revision))), "RevisionConflict");
    let removed = put(&mut node, remove(third.revision));
    assert_eq!((code_name(&removed), removed.revision, value(&node, kind, "")), ("", 0, None));
    // Made again, it has a revision that it never had.
    let again = put(&mut node, put_system(kind, "", 0, b"again"));
    assert!(again.revision > third.revision);
}

#[test]
fn records_of_a_kind_are_listed_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(dir.path(), 1);
    for id in ["b", "a", "c", ""] {
        put(&mut node, put_system(SystemKind::Alert, id, 0, id.as_bytes()));
    }
    put(&mut node, put_system(SystemKind::AuditHead, "z", 0, b"z"));
    let records = node.engine.system_records(SystemKind::Alert).unwrap();
    let ids: Vec<_> = records.iter().map(|(id, record)| (id.as_str(), &record.value[..])).collect();
    assert_eq!(ids, [("", &b""[..]), ("a", b"a"), ("b", b"b"), ("c", b"c")]);
    assert!(node.engine.system_records(SystemKind::MemberKeys).unwrap().is_empty());
}

#[test]
fn limits_hold_and_a_full_store_still_takes_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(dir.path(), 1);
    let kind = SystemKind::Alert;
    let full = vec![1; 64 << 10];
    let id = "i".repeat(256);
    assert_eq!(code_name(&put(&mut node, put_system(kind, &id, 0, &full))), "");
    assert_eq!(value(&node, kind, &id).unwrap().1, full);
    let over = vec![1; (64 << 10) + 1];
    for wrong in [
        put_system(kind, "x", 0, &over),
        put_system(kind, &"i".repeat(257), 0, b""),
        PutSystemRecord { kind: 0, ..put_system(kind, "x", 0, b"") },
        PutSystemRecord { kind: 6, ..put_system(kind, "x", 0, b"") },
        PutSystemRecord { remove: true, ..put_system(kind, "x", 0, b"1") },
    ] {
        assert_eq!(code_name(&put(&mut node, wrong)), "BadValue");
    }
    let first = node.next_id().index;
    for n in 1..4096 {
        let action = Action::PutSystemRecord(put_system(kind, &n.to_string(), 0, b""));
        let payload = EntryPayload::Normal(Proposal::new(&command(FEATURE, action)));
        node.append_entry(Entry { log_id: node.next_id(), payload });
    }
    node.log.sync().unwrap();
    for entry in node.log.read_entries(first, first + 4095, u64::MAX).unwrap() {
        assert_eq!(code_name(&node.engine.apply(&entry).unwrap().0), "");
    }
    let beyond = put(&mut node, put_system(SystemKind::AuditHead, "new", 0, b""));
    assert_eq!(code_name(&beyond), "IllegalOperation");
    let revision = value(&node, kind, "1").unwrap().0;
    assert_eq!(code_name(&put(&mut node, put_system(kind, "1", revision, b"changed"))), "");
    let revision = value(&node, kind, "2").unwrap().0;
    put(&mut node, PutSystemRecord { remove: true, ..put_system(kind, "2", revision, b"") });
    assert_eq!(code_name(&put(&mut node, put_system(kind, "new", 0, b""))), "");
}

#[test]
fn records_survive_a_crash_and_are_part_of_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut leader = node(dir.path(), 1);
    let first = put(&mut leader, put_system(SystemKind::Settings, "", 0, b"first"));
    leader.engine.checkpoint().unwrap();
    let second = put(&mut leader, put_system(SystemKind::Settings, "", first.revision, b"second"));
    leader.commit();
    leader.crash();
    let leader = TestNode::open(dir.path(), 1);
    let expected = Some((second.revision, b"second".to_vec()));
    assert_eq!(value(&leader, SystemKind::Settings, ""), expected);

    let mut follower = node(dir.path(), 2);
    put(&mut follower, put_system(SystemKind::Alert, "of another log", 0, b""));
    let mut changes = follower.engine.system_changes();
    changes.mark_unchanged();
    let view = SnapshotSource::View(PinnedView::new(&leader.engine).unwrap().into());
    let snapshot = carry_over(&view, &follower.engine);
    let SnapshotSource::Staged(staged) = &snapshot.snapshot else { panic!("it was received") };
    follower.engine.install(&snapshot.meta, staged).unwrap();
    assert_eq!(value(&follower, SystemKind::Settings, ""), expected);
    assert_eq!(value(&follower, SystemKind::Alert, "of another log"), None);
    assert!(changes.has_changed().unwrap());
}

#[test]
fn commands_of_the_first_feature_version_are_applied_and_later_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = node(dir.path(), 1);
    let database = node.run_command(command(1, create_database("shop"))).database_id;
    let inserted = node.run_command(command(1, insert(database, "c", &[doc! {"_id": 1}])));
    assert_eq!(inserted.inserted, 1);
    let put = Action::PutSystemRecord(put_system(SystemKind::Alert, "a", 0, b""));
    let entry = node.append(EntryPayload::Normal(Proposal::new(&command(FEATURE + 1, put))));
    let error = node.engine.apply(&entry).expect_err("it is of the future");
    assert!(matches!(error, StorageError::Feature { needed: 3, known: 2 }), "{error}");
    assert_eq!(value(&node, SystemKind::Alert, "a"), None);
}
