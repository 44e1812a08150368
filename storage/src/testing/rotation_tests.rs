//! Keys are replaced while data are written and read, and the old ones open nothing any more.
//!
//! Seeds are printed and taken back from `COFFER_TEST_SEED`.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bson::doc;
use coffer_keyring::{DatabaseId, KeyOwner, KeyVersion, Keyring};
use coffer_proto::internal::v1::command::Action;
use openraft::{EntryPayload, storage::RaftLogStorage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    TestNode,
    commands::{create_database, drop_database, find, insert, update},
    node::{keyring, plain_keyring},
};
use crate::{
    StorageError, StorageOptions,
    instance::{FixedKey, RingKeys},
    sealed_fs::{Disk, RealDisk, check_header, sealed_files, sim::SimDisk},
};

fn fill(node: &mut TestNode, db: u64, ids: std::ops::Range<i32>) {
    for n in ids {
        node.run(insert(db, "c", &[doc! {"_id": n, "n": 0, "text": "x".repeat(300)}]));
    }
}

fn content(node: &TestNode, db: u64) -> BTreeMap<i32, i32> {
    find(node, db, "c", doc! {}, |_| ())
        .unwrap()
        .iter()
        .map(|document| (document.get_i32("_id").unwrap(), document.get_i32("n").unwrap()))
        .collect()
}

fn owner(db: u64) -> KeyOwner {
    KeyOwner::Database(DatabaseId(db))
}

/// The versions that files of a directory name; none may leave it open.
fn versions(disk: &dyn Disk, dir: &Path) -> Vec<u32> {
    let mut versions: Vec<u32> =
        sealed_files(disk, dir).unwrap().iter().map(|file| file.key_version.expect("all are made")).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// Steps rewrites of databases until none is under way.
fn finish(node: &TestNode, db: u64) {
    for _ in 0..50 {
        node.engine.rewrite_databases().unwrap();
        if node.engine.database_key_progress(DatabaseId(db)).unwrap().versions_in_use.len() == 1 {
            return;
        }
    }
    panic!("the old key is still needed: {:?}", node.engine.database_key_progress(DatabaseId(db)));
}

/// Checkpoints, purges everything, and rewrites the log under a new key.
fn shred(node: &mut TestNode) -> Result<(), StorageError> {
    node.engine.checkpoint()?;
    let last = node.engine.applied().expect("something was written");
    if node.log.purged() != Some(last) {
        let purged = futures::executor::block_on(node.log.purge(last));
        purged.map_err(|error| StorageError::io("purge", error))?;
    }
    // A disk that fails under a compaction shows nowhere else.
    let rewrite = node.engine.begin_log_rewrite(true)?.ok_or(StorageError::Closed)?;
    for _ in 0..50 {
        if node.engine.step_log_rewrite(&rewrite)? {
            return Ok(());
        }
    }
    panic!("the log is not rewritten: {:?}", node.engine.log_files_to_go(&rewrite));
}

#[test]
fn a_database_comes_under_its_new_key_while_it_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let db = node.run(create_database("shop")).database_id;
    let id = DatabaseId(db);
    fill(&mut node, db, 0..200);
    node.engine.checkpoint().unwrap();
    fill(&mut node, db, 200..250);
    let files = dir.path().join(format!("member-1/data/1/{db:016x}"));
    let old_key = node.keyring.current(owner(db)).unwrap();
    for round in 1..=3 {
        node.engine.rotate_database_key(id, round).unwrap();
        let begun = node.engine.database_key_progress(id).unwrap();
        assert_eq!((begun.round, begun.versions_in_use.len()), (round, 2));
        assert!(begun.percent < 100);
        // The same order again changes nothing.
        node.engine.rotate_database_key(id, round).unwrap();
        assert_eq!(node.keyring.versions(owner(db)).len(), 2);
        let engine = node.engine.clone();
        let reader = std::thread::spawn(move || {
            let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
            let mut reads = 0;
            while engine.keyring.versions(owner(db)).len() > 1 || reads == 0 {
                assert!(std::time::Instant::now() < until, "the rewrite does not end");
                engine.rewrite_databases().unwrap();
                engine.state_hash(id, None).unwrap();
                reads += 1;
            }
        });
        let mut n = 0;
        while !reader.is_finished() {
            node.run(Action::Update(update(db, "c", doc! {"_id": n % 250}, doc! {"$inc": {"n": 1}})));
            n += 1;
        }
        reader.join().unwrap();
        let done = node.engine.database_key_progress(id).unwrap();
        assert_eq!((done.percent, done.versions_in_use.len(), done.waiting_for), (100, 1, None));
        assert_eq!(versions(&RealDisk, &files), [done.version.0]);
    }
    let before = content(&node, db);
    assert_eq!(before.len(), 250);
    for file in sealed_files(&RealDisk, &files).unwrap() {
        assert!(check_header(&RealDisk, &FixedKey::new(old_key.clone()), &file.path).is_err(), "{file:?}");
    }
    node.commit();
    node.crash();
    let node = TestNode::open(dir.path(), 1);
    assert_eq!(content(&node, db), before);
    assert_eq!(node.keyring.database_round(id), 3);
}

#[test]
fn a_view_that_is_being_read_delays_the_end_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let db = node.run(create_database("shop")).database_id;
    let id = DatabaseId(db);
    fill(&mut node, db, 0..50);
    node.engine.checkpoint().unwrap();
    let instance = node.engine.instance(id).unwrap();
    let pinned = instance.pin().unwrap();
    let mut iterator = pinned.iterate(None, None, true);
    iterator.seek_to_first();
    node.engine.rotate_database_key(id, 1).unwrap();
    for _ in 0..5 {
        node.engine.rewrite_databases().unwrap();
    }
    let waiting = node.engine.database_key_progress(id).unwrap();
    assert!((40..60).contains(&waiting.percent), "the old table is about as large: {waiting:?}");
    assert_eq!(waiting.versions_in_use.len(), 2);
    assert!(waiting.waiting_for.is_some());
    let mut seen = 0;
    while iterator.valid() {
        seen += 1;
        iterator.next();
    }
    iterator.status().unwrap();
    assert!(seen > 50, "the view is whole under its old key");
    drop(iterator);
    finish(&node, db);
}

#[test]
fn a_drop_is_shredded_when_no_key_opens_a_file_that_held_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let gone = node.run(create_database("gone")).database_id;
    let kept = node.run(create_database("kept")).database_id;
    fill(&mut node, gone, 0..100);
    fill(&mut node, kept, 0..100);
    let dropped = node.run(drop_database("gone", gone)).applied_index;
    let states = node.engine.shred_states();
    assert_eq!((states.len(), states[0].log_index, states[0].shredded), (1, dropped, false));
    let raft = dir.path().join("member-1/raft");
    let old_key = node.keyring.current(KeyOwner::Raft).unwrap();
    assert_eq!(versions(&RealDisk, &raft), [1]);
    fill(&mut node, kept, 100..120);
    shred(&mut node).unwrap();
    assert_eq!(versions(&RealDisk, &raft), [2]);
    assert_eq!(node.keyring.versions(KeyOwner::Raft), [KeyVersion(2)]);
    for file in sealed_files(&RealDisk, &raft).unwrap() {
        assert!(check_header(&RealDisk, &FixedKey::new(old_key.clone()), &file.path).is_err(), "{file:?}");
        let live = RingKeys::new(node.keyring.clone(), KeyOwner::Raft);
        assert_eq!(check_header(&RealDisk, &live, &file.path).unwrap(), Some(2));
    }
    assert!(node.engine.shred_states()[0].shredded);
    // It stays known after a restart, and the log goes on.
    fill(&mut node, kept, 120..130);
    node.commit();
    node.crash();
    let mut node = TestNode::open(dir.path(), 1);
    assert!(node.engine.shred_states()[0].shredded);
    assert_eq!(content(&node, kept).len(), 130);
    // A later drop is not shredded by the earlier rewrite.
    let later = node.run(drop_database("kept", kept)).applied_index;
    let states: Vec<_> = node.engine.shred_states().iter().map(|s| (s.log_index, s.shredded)).collect();
    assert_eq!(states, [(dropped, true), (later, false)]);
}

fn holds(dir: &Path, marker: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => holds(&entry.path(), marker),
            false => {
                std::fs::read(entry.path()).unwrap().windows(marker.len()).any(|window| window == marker)
            }
        }
    })
}

#[test]
fn without_encryption_the_entries_of_a_dropped_database_leave_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let options = StorageOptions::new(dir.path().join("member-1"));
    let mut node = TestNode::try_open_with(options, plain_keyring(dir.path(), 1)).unwrap();
    node.append(EntryPayload::Blank);
    let gone = node.run(create_database("gone")).database_id;
    // Not in one batch and not compressible: what is looked for stands in the files as it is.
    let marker = "q8Zk3vXw";
    for n in 0..20 {
        node.run(insert(gone, "c", &[doc! {"_id": format!("{marker}{n}")}]));
    }
    node.run(drop_database("gone", gone));
    let raft = dir.path().join("member-1/raft");
    assert!(holds(&raft, marker.as_bytes()));
    shred(&mut node).unwrap();
    assert!(!holds(&dir.path().join("member-1"), marker.as_bytes()));
    assert!(node.engine.shred_states()[0].shredded);
}

#[test]
fn a_requested_rotation_of_the_raft_key_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let db = node.run(create_database("shop")).database_id;
    let dropped = node.run(create_database("gone")).database_id;
    fill(&mut node, db, 0..50);
    node.run(drop_database("gone", dropped));
    node.engine.request_raft_rotation().unwrap();
    assert!(node.engine.raft_rotation_pending());
    node.commit();
    node.crash();
    let mut node = TestNode::open(dir.path(), 1);
    assert!(node.engine.raft_rotation_pending());
    // Ended before it has come to anything, as by a stop; a new start goes on.
    node.engine.end_rewrites();
    node.log.end_rewrite();
    let rewrite = node.engine.begin_log_rewrite(false).unwrap().unwrap();
    assert!(!node.engine.step_log_rewrite(&rewrite).unwrap());
    assert!(node.engine.begin_log_rewrite(true).unwrap().is_none());
    fill(&mut node, db, 50..60);
    node.commit();
    node.crash();
    let node = TestNode::open(dir.path(), 1);
    let rewrite = node.engine.begin_log_rewrite(false).unwrap().unwrap();
    assert!(node.engine.step_log_rewrite(&rewrite).unwrap());
    assert!(!node.engine.raft_rotation_pending());
    assert_eq!(versions(&RealDisk, &dir.path().join("member-1/raft")), [2]);
    // The log was not purged: the drop is not shredded by it.
    assert!(node.engine.shred_states().iter().all(|drop| !drop.shredded));
    assert_eq!(content(&node, db).len(), 60);
}

#[test]
fn a_rotation_is_refused_while_a_snapshot_is_staged() {
    let dir = tempfile::tempdir().unwrap();
    let mut node = TestNode::open(dir.path(), 1);
    node.append(EntryPayload::Blank);
    let db = node.run(create_database("shop")).database_id;
    let place = node.engine.staging.take();
    let refused = node.engine.rotate_database_key(DatabaseId(db), 1);
    assert!(matches!(refused, Err(StorageError::Busy(_))), "{refused:?}");
    drop(place);
    node.engine.rotate_database_key(DatabaseId(db), 1).unwrap();
    let unknown = node.engine.rotate_database_key(DatabaseId(77), 1);
    assert!(matches!(unknown, Err(StorageError::DatabaseNotFound(_))), "{unknown:?}");
}

/// The power goes, or the process, at an operation of the disk while keys are rotated; afterwards everything is there, and
/// the rotation comes to its end.
fn one_life(seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut disk = SimDisk::new(1 << 30);
    let open = |disk: &SimDisk, keyring: Keyring| {
        let mut options = StorageOptions::new(dir.path().join("member-1"));
        options.disk = Arc::new(disk.clone());
        TestNode::try_open_with(options, keyring)
    };
    let mut node = open(&disk, keyring(dir.path(), 1)).unwrap();
    node.append(EntryPayload::Blank);
    let kept = node.run(create_database("kept")).database_id;
    let id = DatabaseId(kept);
    let mut expected = BTreeMap::new();
    for life in 1..=4u64 {
        let gone = node.run(create_database("gone")).database_id;
        fill(&mut node, gone, 0..10);
        for n in 0..10 {
            let n = i32::try_from(life).unwrap() * 100 + n;
            node.run(insert(kept, "c", &[doc! {"_id": n, "n": 0, "text": "x".repeat(300)}]));
            expected.insert(n, 0);
        }
        if rng.random_bool(0.5) {
            node.engine.checkpoint().unwrap();
        }
        let dropped = node.run(drop_database("gone", gone)).applied_index;
        node.commit();
        disk.cut_power_at(disk.mutations() + rng.random_range(1..250));
        // Fails somewhere, or everywhere, or not at all.
        drop(node.engine.rotate_database_key(id, life));
        if rng.random_bool(0.5) {
            drop((0..3).try_for_each(|_| node.engine.rewrite_databases()));
            drop(shred(&mut node));
        } else {
            drop(shred(&mut node));
            drop((0..3).try_for_each(|_| node.engine.rewrite_databases()));
        }
        node.crash();
        disk = if rng.random_bool(0.5) { disk.power_loss(seed ^ life) } else { disk.kill() };
        node = open(&disk, keyring(dir.path(), 1)).unwrap_or_else(|error| panic!("life {life}: {error}"));
        assert_eq!(content(&node, kept), expected, "life {life}");
        node.engine.rotate_database_key(id, life).unwrap();
        finish(&node, kept);
        if node.engine.last_unshredded() == Some(dropped) {
            shred(&mut node).unwrap();
        }
        assert!(node.engine.shred_states().iter().all(|drop| drop.shredded));
        let versions_of = |name: String| versions(&disk, &dir.path().join("member-1").join(name));
        let database = node.keyring.versions(owner(kept));
        assert_eq!(versions_of(format!("data/1/{kept:016x}")), [database[0].0]);
        let raft = node.keyring.versions(KeyOwner::Raft);
        assert_eq!((raft.len(), versions_of("raft".to_owned())), (1, vec![raft[0].0]));
        assert_eq!(content(&node, kept), expected, "life {life}");
    }
}

#[test]
fn a_rotation_survives_the_power_at_any_point() {
    match std::env::var("COFFER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => one_life(seed),
        None => {
            let first = u64::from(std::process::id()) << 16;
            for seed in first..first + 8 {
                println!("COFFER_TEST_SEED={seed}");
                one_life(seed);
            }
        }
    }
}
