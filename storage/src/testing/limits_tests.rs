//! What is bounded, ended or refused so that a member stays well.

use bson::doc;
use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::{command::Action, snapshot_message::Body};
use openraft::{EntryPayload, storage::RaftLogStorage};

use super::{
    TestNode,
    commands::{code, create_database, delete, insert, window},
};
use crate::{
    Cancel, FindQuery, SnapshotReceiver, StorageError,
    raft::Vote,
    snapshot::{PinnedView, SnapshotSource},
};

fn node() -> (tempfile::TempDir, TestNode, u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let database = node.run(create_database("shop")).database_id;
    (dir, node, database)
}

#[test]
fn the_number_of_databases_is_limited_the_same_on_every_member() {
    let (_dir, mut node, _) = node();
    let names = (0..1023).map(|n| (format!("other{n}"), DatabaseId(u64::MAX - n))).collect();
    node.engine.databases_mut().enter_all(names);
    let refused = node.run(create_database("one too many"));
    assert_eq!(code(&refused), 20);
    assert_eq!(node.engine.database_id("one too many"), None);
    assert_ne!(node.run(create_database("shop")).database_id, 0, "one that exists is still found");
}

#[test]
fn a_filter_with_many_conditions_gets_a_shorter_window() {
    let (_dir, mut node, db) = node();
    let documents: Vec<_> = (0..100).map(|n| doc! {"_id": n}).collect();
    node.run(insert(db, "c", &documents));
    let clauses: Vec<_> = (0..159).map(|n| bson::bson!({"a": n})).collect();
    let mut part = delete(db, "c", doc! {"$or": clauses});
    part.window = window(&[], 40);
    let result = node.run(Action::Delete(part));
    let last = coffer_document::encode_key(&bson::Bson::Int32(3)).unwrap();
    assert_eq!(result.resume_after, last, "160 conditions count as ten documents of 16");
}

#[test]
fn a_read_ends_when_its_caller_has_gone() {
    let (_dir, mut node, db) = node();
    let documents: Vec<_> = (0..100).map(|n| doc! {"_id": n}).collect();
    node.run(insert(db, "c", &documents));
    let cancel = Cancel::default();
    let query = FindQuery {
        database: DatabaseId(db),
        collection: "c".to_owned(),
        filter: doc! {"_id": {"$gte": 0}},
        projection: None,
        sort: None,
        skip: 0,
        limit: 0,
        cancel: cancel.clone(),
    };
    let mut cursor = node.engine.find(query.clone()).unwrap();
    assert_eq!(cursor.next_batch(10, usize::MAX).unwrap().len(), 10);
    cancel.cancel();
    assert!(matches!(cursor.next_batch(10, usize::MAX), Err(StorageError::Cancelled)));
    assert!(matches!(node.engine.count(query), Err(StorageError::Cancelled)));
}

#[test]
fn one_snapshot_is_received_at_a_time_and_its_place_is_given_back() {
    let (dir, node, _) = node();
    let follower = TestNode::open(dir.path(), 2);
    let view = SnapshotSource::View(PinnedView::new(&node.engine).unwrap().into());
    let mut headers = Vec::new();
    view.send_messages(&Vote::new_committed(9, 1), |message| {
        if let Some(Body::Header(header)) = message.body {
            headers.push(header);
        }
        true
    })
    .unwrap();
    let first = SnapshotReceiver::begin(&follower.engine, &headers[0]).unwrap();
    assert!(matches!(
        SnapshotReceiver::begin(&follower.engine, &headers[0]),
        Err(StorageError::Snapshot(why)) if why.contains("again later")
    ));
    drop(first);
    assert!(SnapshotReceiver::begin(&follower.engine, &headers[0]).is_ok());
}

#[test]
fn a_log_behind_an_installed_snapshot_is_mended_before_anybody_asks() {
    let (dir, mut node, db) = node();
    node.run(insert(db, "c", &[doc! {"_id": 1}]));
    let follower = TestNode::open(dir.path(), 2);
    let view = SnapshotSource::View(PinnedView::new(&node.engine).unwrap().into());
    let snapshot = super::conformance::carry_over(&view, &follower.engine);
    let SnapshotSource::Staged(staged) = &snapshot.snapshot else { panic!("it was received") };
    follower.engine.install(&snapshot.meta, staged).unwrap();
    assert_eq!(follower.log.last_log_id(), None, "openraft has not purged the log yet");
    let (options, keyring) = (follower.engine.options.clone(), follower.keyring.clone());
    follower.crash();
    // Peers are asked with the log alone: it must not seem to have forgotten what it acknowledged.
    let log = crate::LogStore::open(&options, &keyring).unwrap();
    assert_eq!(log.last_log_id(), snapshot.meta.last_log_id);
    assert_eq!(log.flushed(), snapshot.meta.last_log_id);
}

#[tokio::test]
async fn a_truncation_takes_back_what_waiters_see_as_flushed() {
    let (_dir, mut node, _) = node();
    for _ in 0..3 {
        node.append(EntryPayload::Blank);
    }
    let last = node.log.last_log_id().unwrap();
    node.log.wait_flushed(last.index).await.unwrap();
    let kept = node.log.read_entries(last.index - 1, last.index, u64::MAX).unwrap()[0].log_id;
    node.log.truncate_after(Some(kept)).await.unwrap();
    let waits = node.log.wait_flushed(last.index);
    assert!(futures::poll!(std::pin::pin!(waits)).is_pending(), "what was truncated is not flushed");
    node.append(EntryPayload::Blank);
    node.log.wait_flushed(last.index).await.unwrap();
}
