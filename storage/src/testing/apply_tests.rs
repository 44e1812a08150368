//! What commands do to a database, and what retries, windows and drops do not.

use bson::{Document, doc};
use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::{CreateCollection, DropCollection, command::Action};

use super::{
    TestNode,
    commands::{
        code, count, create_database, delete, drop_database, find, insert, update, window, with_retry,
    },
};

fn node() -> (tempfile::TempDir, TestNode, u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    // Index 0 is always a membership in a real log.
    node.append(openraft::EntryPayload::Blank);
    let database = node.run(create_database("shop")).database_id;
    (dir, node, database)
}

fn ids(documents: &[Document]) -> Vec<i32> {
    documents.iter().map(|document| document.get_i32("_id").unwrap()).collect()
}

fn numbered(range: std::ops::Range<i32>) -> Vec<Document> {
    range.map(|n| doc! {"_id": n, "even": n % 2 == 0, "n": 100 - n}).collect()
}

#[test]
fn documents_come_back_in_the_order_of_their_ids() {
    let (_dir, mut node, db) = node();
    let mut documents = numbered(0..10);
    documents.reverse();
    let result = node.run(insert(db, "things", &documents));
    assert_eq!((result.inserted, code(&result)), (10, 0));
    let all = find(&node, db, "things", doc! {}, |_| ()).unwrap();
    assert_eq!(ids(&all), (0..10).collect::<Vec<_>>());
    let page = find(&node, db, "things", doc! {"even": true}, |q| (q.skip, q.limit) = (1, 3)).unwrap();
    assert_eq!(ids(&page), [2, 4, 6]);
    let backwards = find(&node, db, "things", doc! {}, |q| q.sort = Some(doc! {"_id": -1})).unwrap();
    assert_eq!(ids(&backwards), (0..10).rev().collect::<Vec<_>>());
    let by_n = find(&node, db, "things", doc! {"_id": {"$gte": 4}}, |q| {
        (q.sort, q.limit, q.projection) = (Some(doc! {"n": 1}), 2, Some(doc! {"n": 1}));
    });
    assert_eq!(by_n.unwrap(), [doc! {"_id": 9, "n": 91}, doc! {"_id": 8, "n": 92}]);
    let points = find(&node, db, "things", doc! {"_id": {"$in": [7, 3, 99]}}, |q| {
        q.sort = Some(doc! {"_id": -1});
    });
    assert_eq!(ids(&points.unwrap()), [7, 3]);
    assert!(find(&node, db, "nothing", doc! {}, |_| ()).unwrap().is_empty());
    let count = |filter, skip, limit| super::commands::count(&node, db, "things", filter, skip, limit);
    assert_eq!((count(doc! {}, 0, 0), count(doc! {"even": true}, 0, 0)), (10, 5));
    assert_eq!((count(doc! {}, 4, 3), count(doc! {"even": true}, 4, 3)), (3, 1));
}

#[test]
fn a_duplicate_id_is_refused_and_stops_an_ordered_insert() {
    let (_dir, mut node, db) = node();
    node.run(insert(db, "c", &[doc! {"_id": 1}]));
    let documents = [doc! {"_id": 2}, doc! {"_id": 1.0}, doc! {"_id": 3}, doc! {"_id": 3}];
    let Action::Insert(mut action) = insert(db, "c", &documents) else { unreachable!() };
    let result = node.run(Action::Insert(action.clone()));
    assert_eq!(result.inserted, 1);
    assert_eq!((result.failures.len(), result.failures[0].index), (1, 1));
    assert_eq!(result.failures[0].error.as_ref().unwrap().code, 11000);
    action.ordered = false;
    let result = node.run(Action::Insert(action));
    assert_eq!(result.inserted, 1, "3 is new, and once");
    assert_eq!(result.failures.iter().map(|f| f.index).collect::<Vec<_>>(), [0, 1, 3]);
    assert_eq!(count(&node, db, "c", doc! {}, 0, 0), 3);
}

#[test]
fn updates_change_one_or_all_and_upsert() {
    let (_dir, mut node, db) = node();
    node.run(insert(db, "c", &numbered(0..6)));
    let one = node.run(Action::Update(update(db, "c", doc! {"even": true}, doc! {"$set": {"x": 1}})));
    assert_eq!((one.matched, one.modified), (1, 1));
    let mut all = update(db, "c", doc! {"even": true}, doc! {"$set": {"x": 1}});
    all.multi = true;
    let all = node.run(Action::Update(all));
    assert_eq!((all.matched, all.modified), (3, 2), "one had it already");
    let mut upsert = update(db, "c", doc! {"_id": 77}, doc! {"$inc": {"x": 5}});
    upsert.upsert = true;
    let first = node.run(Action::Update(upsert.clone()));
    assert_eq!((first.matched, first.inserted), (0, 1));
    assert_eq!(&first.upserted_id[..], doc! {"_id": 77}.to_vec().unwrap());
    let second = node.run(Action::Update(upsert));
    assert_eq!((second.matched, second.modified, second.inserted), (1, 1, 0));
    assert_eq!(find(&node, db, "c", doc! {"_id": 77}, |_| ()).unwrap(), [doc! {"_id": 77, "x": 10}]);
    let bad = node.run(Action::Update(update(db, "c", doc! {"_id": 1}, doc! {"$set": {"_id": 2}})));
    assert_eq!(code(&bad), 66);
    assert_eq!(count(&node, db, "c", doc! {}, 0, 0), 7);
}

#[test]
fn a_window_bounds_an_entry_and_says_where_to_go_on() {
    let (_dir, mut node, db) = node();
    node.run(insert(db, "c", &numbered(0..25)));
    let mut after = Vec::new();
    let (mut matched, mut entries) = (0, 0);
    loop {
        let mut part = update(db, "c", doc! {"even": true}, doc! {"$set": {"seen": true}});
        (part.multi, part.window) = (true, window(&after, 10));
        let result = node.run(Action::Update(part));
        (matched, entries) = (matched + result.matched, entries + 1);
        if result.resume_after.is_empty() {
            break;
        }
        after = result.resume_after.to_vec();
    }
    assert_eq!((matched, entries), (13, 3));
    let mut part = delete(db, "c", doc! {});
    part.window = window(&[], 20);
    let first = node.run(Action::Delete(part.clone()));
    assert_eq!(first.deleted, 20);
    part.window = window(&first.resume_after, 20);
    let rest = node.run(Action::Delete(part));
    assert_eq!((rest.deleted, rest.resume_after.len()), (5, 0));
    assert_eq!(count(&node, db, "c", doc! {}, 0, 0), 0);
}

#[test]
fn a_retried_write_takes_effect_once_also_after_a_crash() {
    let (dir, mut node, db) = node();
    node.run(insert(db, "c", &[doc! {"_id": 1, "n": 0}]));
    let inc = || Action::Update(update(db, "c", doc! {"_id": 1}, doc! {"$inc": {"n": 1}}));
    let first = node.run_command(with_retry(inc(), 1, 5, 0, 0));
    let again = node.run_command(with_retry(inc(), 1, 5, 0, 0));
    assert_eq!((first.modified, first.replayed), (1, false));
    assert_eq!((again.modified, again.replayed, again.applied_index), (1, true, first.applied_index));
    // A second part of the same call, and its retry.
    assert!(!node.run_command(with_retry(inc(), 1, 5, 1, 0)).replayed);
    node.commit();
    node.crash();
    let mut node = TestNode::open(dir.path(), 1);
    for part in [0, 1] {
        assert!(node.run_command(with_retry(inc(), 1, 5, part, 0)).replayed);
    }
    assert_eq!(find(&node, db, "c", doc! {}, |_| ()).unwrap(), [doc! {"_id": 1, "n": 2}]);
    assert_eq!(code(&node.run_command(with_retry(inc(), 1, 4, 0, 0))), 225);
    assert!(!node.run_command(with_retry(inc(), 1, 6, 0, 0)).replayed);
    assert!(
        !node.run_command(with_retry(inc(), 1, 6, 1, 0)).replayed,
        "part 1 of write 5 is not part 1 of write 6"
    );
}

#[test]
fn silent_sessions_are_forgotten_by_the_minute_of_the_leaders_clock() {
    let (_dir, mut node, db) = node();
    node.run(insert(db, "c", &[doc! {"_id": 1, "n": 0}]));
    let inc = || Action::Update(update(db, "c", doc! {"_id": 1}, doc! {"$inc": {"n": 1}}));
    node.run_command(with_retry(inc(), 1, 1, 0, 0));
    let half_an_hour = 30 * 60 * 1000;
    node.run_command(with_retry(inc(), 2, 1, 0, half_an_hour));
    assert!(
        node.run_command(with_retry(inc(), 1, 1, 0, half_an_hour)).replayed,
        "not silent for long enough"
    );
    node.run_command(with_retry(inc(), 2, 2, 0, half_an_hour + 60_000));
    assert!(!node.run_command(with_retry(inc(), 1, 1, 0, half_an_hour + 60_000)).replayed);
}

#[test]
fn collections_are_made_and_dropped() {
    let (_dir, mut node, db) = node();
    let create =
        |name: &str| Action::CreateCollection(CreateCollection { database_id: db, name: name.to_owned() });
    let drop = |name: &str| Action::DropCollection(DropCollection { database_id: db, name: name.to_owned() });
    assert_eq!(code(&node.run(create("a"))), 0);
    assert_eq!(code(&node.run(create("a"))), 48);
    node.run(insert(db, "a", &numbered(0..5)));
    node.run(insert(db, "b", &numbered(0..3)));
    let dropped = node.run(drop("a"));
    assert_eq!((code(&dropped), dropped.deleted), (0, 5));
    assert_eq!(code(&node.run(drop("a"))), 26);
    node.run(insert(db, "a", &[doc! {"_id": 9}]));
    assert_eq!(
        ids(&find(&node, db, "a", doc! {}, |_| ()).unwrap()),
        [9],
        "nothing of the dropped one is back"
    );
    let names: Vec<_> = node
        .engine
        .list_collections(DatabaseId(db))
        .unwrap()
        .into_iter()
        .map(|c| (c.name, c.documents))
        .collect();
    assert_eq!(names, [("a".to_owned(), 1), ("b".to_owned(), 3)]);
}

#[test]
fn a_retried_drop_is_answered_and_leaves_what_was_made_again() {
    let (_dir, mut node, db) = node();
    let first = node.run_command(with_retry(drop_database("shop", db), 1, 5, 0, 0));
    assert_eq!((first.deleted, first.replayed), (1, false));
    let again = node.run(create_database("shop")).database_id;
    // The leader looks the name up anew for each try, and finds the new one.
    let retried = node.run_command(with_retry(drop_database("shop", again), 1, 5, 0, 0));
    assert_eq!((retried.deleted, retried.replayed, retried.database_id), (1, true, db));
    assert_eq!(node.engine.database_id("shop"), Some(DatabaseId(again)));
}

#[test]
fn a_dropped_database_is_gone_with_its_key_and_files() {
    let (dir, mut node, db) = node();
    node.run(insert(db, "c", &numbered(0..5)));
    node.engine.checkpoint().unwrap();
    let files = dir.path().join(format!("member-1/data/1/{db:016x}"));
    assert!(files.exists());
    let mut cursor = node
        .engine
        .find(crate::FindQuery {
            database: DatabaseId(db),
            collection: "c".to_owned(),
            filter: doc! {},
            projection: None,
            sort: None,
            skip: 0,
            limit: 0,
            cancel: crate::Cancel::default(),
        })
        .unwrap();
    cursor.next_batch(1, 1).unwrap();
    let dropped = node.run(drop_database("shop", db));
    assert_eq!(dropped.deleted, 1);
    assert!(!files.exists());
    assert!(cursor.next_batch(1, 1).is_err(), "an open find ends");
    assert_eq!(node.engine.database_id("shop"), None);
    assert!(node.keyring.current(coffer_keyring::KeyOwner::Database(DatabaseId(db))).is_none());
    assert_eq!(node.keyring.tombstone(DatabaseId(db)), Some(dropped.applied_index));
    let late = node.run(insert(db, "c", &numbered(5..6)));
    assert_eq!((code(&late), late.database_id), (26, 0));
    let again = node.run(create_database("shop")).database_id;
    assert_ne!(again, db);
    assert!(find(&node, again, "c", doc! {}, |_| ()).unwrap().is_empty());
    assert_eq!(node.run(create_database("shop")).database_id, again, "creating is idempotent");
    assert_eq!(node.run(drop_database("shop", db)).deleted, 0, "the new one is not the old one");
    assert_eq!(node.engine.database_id("shop"), Some(DatabaseId(again)));
}
