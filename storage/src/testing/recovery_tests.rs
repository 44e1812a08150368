//! What a start finds after crashes, and what it refuses.

use bson::doc;
use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::command::Action;
use openraft::{EntryPayload, storage::RaftLogStorage};

use super::{
    TestNode,
    commands::{create_database, delete, drop_database, find, insert, update},
    conformance::carry_over,
};
use crate::{StorageError, snapshot::PinnedView, snapshot::SnapshotSource};

fn hashes(node: &TestNode, db: u64) -> Vec<crate::CollectionHash> {
    node.engine.state_hash(DatabaseId(db), None).unwrap().collections
}

fn fill(node: &mut TestNode, db: u64, from: i32, count: i32) {
    for n in from..from + count {
        node.run(insert(db, "c", &[doc! {"_id": n, "text": "x".repeat(100)}]));
    }
}

#[test]
fn everything_committed_is_replayed_after_a_crash_and_a_checkpoint_shortens_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let a = node.run(create_database("a")).database_id;
    let b = node.run(create_database("b")).database_id;
    fill(&mut node, a, 0, 20);
    node.engine.checkpoint().unwrap();
    let checkpoint = node.engine.checkpoint_index();
    fill(&mut node, b, 0, 20);
    node.run(Action::Update(update(a, "c", doc! {"_id": 3}, doc! {"$set": {"n": 1}})));
    node.run(Action::Delete(delete(a, "c", doc! {"_id": {"$gt": 15}})));
    node.commit();
    let (before_a, before_b, applied) = (hashes(&node, a), hashes(&node, b), node.engine.applied());
    node.crash();
    let node = TestNode::open(dir.path(), 1);
    assert_eq!(node.engine.checkpoint_index(), checkpoint);
    assert_eq!(node.engine.applied(), applied);
    assert_eq!((hashes(&node, a), hashes(&node, b)), (before_a, before_b));
    assert_eq!(node.engine.database_id("b"), Some(DatabaseId(b)));
}

#[test]
fn instances_that_stand_at_different_ids_are_brought_to_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let a = node.run(create_database("a")).database_id;
    let b = node.run(create_database("b")).database_id;
    fill(&mut node, a, 0, 5);
    fill(&mut node, b, 0, 5);
    // Only one is flushed, later than anything that was saved as committed.
    node.engine.instance(DatabaseId(b)).unwrap().flush().unwrap();
    let applied = node.engine.applied();
    let before = (hashes(&node, a), hashes(&node, b));
    node.crash();
    let node = TestNode::open(dir.path(), 1);
    assert_eq!(node.engine.applied(), applied);
    assert_eq!((hashes(&node, a), hashes(&node, b)), before);
}

#[test]
fn a_drop_is_replayed_whatever_was_flushed() {
    for flush_admin in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut node = TestNode::open(dir.path(), 1);
        node.append(EntryPayload::Blank);
        let old = node.run(create_database("a")).database_id;
        fill(&mut node, old, 0, 5);
        node.run(drop_database("a", old));
        let new = node.run(create_database("a")).database_id;
        fill(&mut node, new, 10, 2);
        node.commit();
        if flush_admin {
            node.engine.admin().unwrap().flush().unwrap();
        }
        node.crash();
        let node = TestNode::open(dir.path(), 1);
        assert_eq!(node.engine.database_id("a"), Some(DatabaseId(new)));
        assert_eq!(find(&node, new, "c", doc! {}, |_| ()).unwrap().len(), 2);
        assert!(node.engine.instance(DatabaseId(old)).is_err());
    }
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn an_older_copy_of_one_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let a = node.run(create_database("a")).database_id;
    fill(&mut node, a, 0, 5);
    node.engine.checkpoint().unwrap();
    let live = dir.path().join(format!("member-1/data/1/{a:016x}"));
    let copy = dir.path().join("copy");
    copy_tree(&live, &copy);
    fill(&mut node, a, 5, 5);
    node.engine.checkpoint().unwrap();
    node.commit();
    node.crash();
    std::fs::remove_dir_all(&live).unwrap();
    copy_tree(&copy, &live);
    let error = TestNode::try_open(dir.path(), 1).err().expect("it was put back");
    assert!(
        matches!(&error, StorageError::PutBack { what } if what.contains(&format!("{a:016x}"))),
        "{error}"
    );
    // A directory that is gone is no new database either.
    std::fs::remove_dir_all(&live).unwrap();
    let error = TestNode::try_open(dir.path(), 1).err().expect("it is gone");
    assert!(matches!(error, StorageError::PutBack { .. }), "{error}");
}

#[test]
fn a_log_that_ends_before_its_databases_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let a = node.run(create_database("a")).database_id;
    fill(&mut node, a, 0, 3);
    node.commit();
    node.crash();
    let raft = dir.path().join("member-1/raft");
    let copy = dir.path().join("copy");
    copy_tree(&raft, &copy);
    let mut node = TestNode::open(dir.path(), 1);
    fill(&mut node, a, 3, 3);
    node.engine.instance(DatabaseId(a)).unwrap().flush().unwrap();
    node.crash();
    std::fs::remove_dir_all(&raft).unwrap();
    copy_tree(&copy, &raft);
    let error = TestNode::try_open(dir.path(), 1).err().expect("the log is older than a database");
    assert!(matches!(&error, StorageError::PutBack { what } if what.contains("log")), "{error}");
}

#[test]
fn a_snapshot_is_the_same_state_under_other_keys_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut leader = TestNode::open(dir.path(), 1);
    leader.append(EntryPayload::Blank);
    let a = leader.run(create_database("a")).database_id;
    let b = leader.run(create_database("b")).database_id;
    fill(&mut leader, a, 0, 50);
    fill(&mut leader, b, 0, 50);
    let mut follower = TestNode::open(dir.path(), 2);
    follower.append(EntryPayload::Blank);
    // The follower has a database of its own log that the leader has dropped since.
    let gone = follower.run(create_database("gone")).database_id;
    assert_eq!(gone, a, "the same index: the same id, another key");
    fill(&mut follower, gone, 500, 5);

    let view = SnapshotSource::View(PinnedView::new(&leader.engine).unwrap().into());
    // What is written after the view was pinned is not in it.
    let before = (hashes(&leader, a), hashes(&leader, b));
    fill(&mut leader, a, 50, 10);
    let snapshot = carry_over(&view, &follower.engine);
    let SnapshotSource::Staged(staged) = &snapshot.snapshot else { panic!("it was received") };
    follower.engine.install(&snapshot.meta, staged).unwrap();
    assert_eq!((hashes(&follower, a), hashes(&follower, b)), before);
    assert_eq!(follower.engine.database_id("gone"), None);
    assert_eq!(follower.engine.applied(), snapshot.meta.last_log_id);
    assert_eq!(follower.keyring.generation().0, 2);
    assert!(!dir.path().join("member-2/data/1").exists());

    // A crash before openraft has told the log: the start brings it into line.
    follower.crash();
    let follower = TestNode::open(dir.path(), 2);
    assert_eq!((hashes(&follower, a), hashes(&follower, b)), before);
    assert_eq!(follower.log.last_log_id(), snapshot.meta.last_log_id);
    let owner = coffer_keyring::KeyOwner::Database(DatabaseId(a));
    let keys = [&leader.keyring, &follower.keyring].map(|ring| *ring.current(owner).unwrap().bytes());
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_snapshot_that_is_not_finished_or_not_whole_leaves_nothing() {
    use coffer_proto::internal::v1::snapshot_message::Body;
    let dir = tempfile::tempdir().unwrap();
    let mut leader = TestNode::open(dir.path(), 1);
    leader.append(EntryPayload::Blank);
    let a = leader.run(create_database("a")).database_id;
    fill(&mut leader, a, 0, 50);
    let follower = TestNode::open(dir.path(), 2);
    let view = SnapshotSource::View(PinnedView::new(&leader.engine).unwrap().into());
    let vote = crate::raft::Vote::new_committed(9, 1);
    let mut messages = Vec::new();
    view.send_messages(&vote, |message| {
        messages.push(message.body.unwrap());
        true
    })
    .unwrap();
    let staging = dir.path().join("member-2/data/2");
    // Each time something else is wrong: the end is missing, a value differs, a database is missing.
    for damage in 0..3 {
        let mut receiver = None;
        let mut outcome = None;
        for (position, body) in messages.iter().enumerate() {
            match body {
                Body::Header(header) => {
                    receiver = Some(crate::SnapshotReceiver::begin(&follower.engine, header).unwrap());
                }
                Body::Chunk(chunk) => {
                    let mut chunk = chunk.clone();
                    if damage == 1 && position == 2 {
                        *chunk.values.last_mut().unwrap() = b"other".as_slice().into();
                    }
                    if damage == 2 && position == 2 {
                        continue;
                    }
                    receiver.as_mut().unwrap().chunk(&chunk).unwrap();
                }
                Body::Trailer(trailer) if damage > 0 => {
                    outcome = Some(
                        receiver.take().unwrap().finish(trailer).map(drop).expect_err("it is not whole"),
                    );
                }
                Body::Trailer(_) => {}
            }
        }
        assert_eq!(outcome.is_some(), damage > 0);
        drop(receiver);
        assert!(!staging.exists(), "damage {damage}");
    }
    assert_eq!(follower.engine.database_id("a"), None);
}

#[test]
fn the_log_is_purged_only_as_far_as_all_is_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let idle = node.run(create_database("idle")).database_id;
    let busy = node.run(create_database("busy")).database_id;
    fill(&mut node, idle, 0, 1);
    fill(&mut node, busy, 0, 50);
    let last = node.log.last_log_id().unwrap();
    assert!(futures::executor::block_on(node.log.purge(last)).is_err(), "nothing is in files yet");
    node.engine.checkpoint().unwrap();
    let keep = node.log.bytes() / 2;
    let target = node.log.purge_target(keep, node.log.checkpoint_end()).unwrap().unwrap();
    let entries = node.log.read_entries(target, target + 1, u64::MAX).unwrap();
    futures::executor::block_on(node.log.purge(entries[0].log_id)).unwrap();
    assert!(node.log.bytes() >= keep && node.log.bytes() < keep + 300, "{} of {keep}", node.log.bytes());
    node.commit();
    node.crash();
    let node = TestNode::open(dir.path(), 1);
    assert_eq!(find(&node, idle, "c", doc! {}, |_| ()).unwrap().len(), 1);
    assert_eq!(find(&node, busy, "c", doc! {}, |_| ()).unwrap().len(), 50);
    assert_eq!(node.log.purged(), Some(entries[0].log_id));
}
