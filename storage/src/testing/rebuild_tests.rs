//! Encryption on and off for a member with data: nothing lost, nothing left, whatever ends it in the middle.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use bson::doc;
use coffer_keyring::{DatabaseId, FormChange, Keyring, KeystoreParams};
use coffer_proto::internal::v1::{PeerStamp, RecordLogId, RecordVote};
use openraft::{EntryPayload, storage::RaftLogStorage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    TestNode,
    commands::{create_database, drop_database, insert},
    node::{keyring, kms, plain_keyring},
};
use crate::{
    CollectionHash, StorageError, StorageOptions,
    instance::opener::remove_tree,
    raft::Vote,
    rebuild_form,
    sealed_fs::{Disk, sim::SimDisk},
};

const MARKER: &str = "q8Zk3vXw";

static GOES_ON: AtomicBool = AtomicBool::new(false);

/// What has to be the same before and after.
#[derive(Debug, PartialEq)]
struct Seen {
    hashes: Vec<(u64, Vec<CollectionHash>)>,
    names: Vec<(String, u64)>,
    vote: Option<Vote>,
    last: Option<crate::raft::LogId>,
    purged: Option<crate::raft::LogId>,
    committed: Option<crate::raft::LogId>,
    checkpoint: u64,
    applied: Option<crate::raft::LogId>,
    log_bytes: u64,
    peer: Option<PeerStamp>,
    shredded: u64,
}

fn seen(node: &TestNode) -> Seen {
    let names: Vec<_> = node.engine.databases().names().map(|(name, id)| (name.to_owned(), id.0)).collect();
    Seen {
        hashes: names
            .iter()
            .map(|(_, id)| (*id, node.engine.state_hash(DatabaseId(*id), None).unwrap().collections))
            .collect(),
        names,
        vote: node.log.vote(),
        last: node.log.last_log_id(),
        purged: node.log.purged(),
        committed: node.log.committed(),
        checkpoint: node.log.checkpoint_end(),
        applied: node.engine.applied(),
        log_bytes: node.log.bytes(),
        peer: node.log.peer_memory().recall(2),
        shredded: node.log.shredded_end(),
    }
}

fn change(dir: &Path, keyring: &Keyring, round: u64) -> FormChange {
    if keyring.encryption_enabled() {
        return FormChange::to_plain(keyring, round).unwrap();
    }
    let (kms, cmk, region) = kms(dir);
    let params =
        KeystoreParams { cluster: keyring.cluster_id().clone(), member: keyring.member_id(), cmk, region };
    futures::executor::block_on(FormChange::to_sealed(keyring, params, &kms, round)).unwrap()
}

fn options(dir: &Path, disk: &SimDisk) -> StorageOptions {
    let mut options = StorageOptions::new(dir.join("member-1"));
    options.disk = Arc::new(disk.clone());
    options
}

/// The keyring in whichever form the keystore has.
fn present_keyring(dir: &Path, encrypted: bool) -> Keyring {
    if encrypted { keyring(dir, 1) } else { plain_keyring(dir, 1) }
}

fn fill(node: &mut TestNode) {
    node.append(EntryPayload::Blank);
    let a = node.run(create_database("a")).database_id;
    let b = node.run(create_database("b")).database_id;
    for n in 0..30 {
        node.run(insert(a, "c", &[doc! {"_id": format!("{MARKER}{n}")}]));
    }
    node.engine.checkpoint().unwrap();
    let entries = node.log.read_entries(10, 11, u64::MAX).unwrap();
    futures::executor::block_on(node.log.purge(entries[0].log_id)).unwrap();
    for n in 0..30 {
        node.run(insert(b, "c", &[doc! {"_id": format!("{MARKER}{n}")}]));
    }
    let gone = node.run(create_database("gone")).database_id;
    node.run(drop_database("gone", gone));
    futures::executor::block_on(node.log.save_vote(&Vote::new_committed(7, 3))).unwrap();
    let stamp = PeerStamp {
        incarnation: 5,
        vote: Some(RecordVote { term: 6, member_id: 2, committed: true }),
        flushed: Some(RecordLogId { term: 6, index: 99 }),
    };
    node.log.peer_memory().note(2, &stamp);
    node.log.write_shredded(4).unwrap();
    node.commit();
    // What is remembered of peers is written in the background.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !node.log.has_peer_record(2) {
        assert!(std::time::Instant::now() < patience, "the peer is not written");
        node.log.sync().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a poll loop with a deadline")]
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn holds_marker(disk: &SimDisk) -> bool {
    disk.files().iter().any(|path| {
        let content = disk.read_file(path).unwrap();
        content.windows(MARKER.len()).any(|window| window == MARKER.as_bytes())
    })
}

fn member_dirs(dir: &Path, disk: &SimDisk) -> Vec<String> {
    let list = |path: &Path| {
        let mut names: Vec<String> =
            disk.list(path).unwrap().iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let member = dir.join("member-1");
    let mut all = list(&member);
    all.extend(list(&member.join("data")).into_iter().map(|name| format!("data/{name}")));
    all
}

#[test]
fn on_off_and_on_again_with_everything_carried_over() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(1 << 30);
    let options = options(dir.path(), &disk);
    let mut node = TestNode::try_open_with(options.clone(), plain_keyring(dir.path(), 1)).unwrap();
    fill(&mut node);
    let before = seen(&node);
    assert!(before.peer.is_some() && before.shredded == 5 && before.purged.is_some());
    node.crash();
    for round in 1..=3u64 {
        let encrypt = round % 2 == 1;
        let old = present_keyring(dir.path(), !encrypt);
        let change = change(dir.path(), &old, round);
        let keyring = rebuild_form(&options, old, change, &GOES_ON).unwrap();
        assert_eq!(keyring.encryption_enabled(), encrypt);
        assert_eq!(holds_marker(&disk), !encrypt);
        let generation = format!("data/{}", round + 1);
        assert_eq!(member_dirs(dir.path(), &disk), ["data", &format!("raft-{round}"), &generation]);
        // As at a start: from the keystore on disk.
        let node = TestNode::try_open_with(options.clone(), present_keyring(dir.path(), encrypt)).unwrap();
        // The checkpoint of the rebuild covers everything; all else is as it was.
        let now = seen(&node);
        let expected = Seen {
            checkpoint: now.checkpoint,
            hashes: before.hashes.clone(),
            names: before.names.clone(),
            peer: before.peer,
            ..before
        };
        assert_eq!(now, expected);
        assert_eq!(now.checkpoint, before.applied.unwrap().index + 1);
        node.crash();
    }
}

/// The power goes at an operation of the disk: the old form or the new one is found, whole, and nothing of the other is
/// left after the next start.
fn one_life(seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut disk = SimDisk::new(1 << 30);
    let mut node = TestNode::try_open_with(options(dir.path(), &disk), plain_keyring(dir.path(), 1)).unwrap();
    fill(&mut node);
    node.engine.checkpoint().unwrap();
    let before = seen(&node);
    node.crash();
    let mut encrypted = false;
    for life in 0..4u64 {
        let old = present_keyring(dir.path(), encrypted);
        let change = change(dir.path(), &old, life + 1);
        disk.cut_power_at(disk.mutations() + rng.random_range(1..700));
        let result = rebuild_form(&options(dir.path(), &disk), old.clone(), change, &GOES_ON);
        // An error may come before the switch or after it: the keystore says which.
        let switched = old.encryption_enabled() != encrypted;
        assert!(switched || result.is_err());
        encrypted ^= switched;
        drop((old, result));
        disk = if rng.random_bool(0.5) { disk.power_loss(seed ^ life) } else { disk.kill() };
        let keyring = present_keyring(dir.path(), encrypted);
        let (generation, raft) = (keyring.generation().0, keyring.raft_generation().0);
        let node = TestNode::try_open_with(options(dir.path(), &disk), keyring)
            .unwrap_or_else(|error| panic!("life {life}, switched {switched}: {error}"));
        assert_eq!(seen(&node), before, "life {life}, switched {switched}");
        let raft = if raft == 0 { "raft".to_owned() } else { format!("raft-{raft}") };
        assert_eq!(member_dirs(dir.path(), &disk), ["data", &raft, &format!("data/{generation}")]);
        assert_eq!(holds_marker(&disk), !encrypted);
        node.crash();
    }
}

#[test]
fn a_change_of_form_survives_the_power_at_any_point() {
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

#[test]
fn a_change_that_knows_other_databases_is_refused_and_the_old_form_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(1 << 30);
    let options = options(dir.path(), &disk);
    let mut node = TestNode::try_open_with(options.clone(), plain_keyring(dir.path(), 1)).unwrap();
    node.append(EntryPayload::Blank);
    let stale = change(dir.path(), &node.keyring, 1);
    node.run(create_database("a"));
    node.commit();
    node.crash();
    let refused = rebuild_form(&options, plain_keyring(dir.path(), 1), stale, &GOES_ON);
    assert!(matches!(refused, Err(StorageError::Keystore(coffer_keyring::KeystoreError::FormStale))));
    let node = TestNode::try_open_with(options, plain_keyring(dir.path(), 1)).unwrap();
    assert!(node.engine.database_id("a").is_some());
}

#[test]
fn a_change_that_is_stopped_does_not_switch_and_leaves_nothing_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(1 << 30);
    let options = options(dir.path(), &disk);
    let mut node = TestNode::try_open_with(options.clone(), keyring(dir.path(), 1)).unwrap();
    fill(&mut node);
    let before = seen(&node);
    node.crash();
    let old = keyring(dir.path(), 1);
    let change = change(dir.path(), &old, 1);
    let stopped = rebuild_form(&options, old.clone(), change, &AtomicBool::new(true));
    assert!(matches!(stopped, Err(StorageError::Closed)), "{:?}", stopped.err());
    assert!(old.encryption_enabled() && !holds_marker(&disk));
    assert_eq!(member_dirs(dir.path(), &disk), ["data", "raft", "data/1"]);
    drop(old);
    let node = TestNode::try_open_with(options, keyring(dir.path(), 1)).unwrap();
    let checkpoint = node.log.checkpoint_end();
    assert_eq!(seen(&node), Seen { checkpoint, ..before });
}

#[test]
fn a_change_does_not_hide_that_the_log_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(1 << 30);
    let options = options(dir.path(), &disk);
    let mut node = TestNode::try_open_with(options.clone(), plain_keyring(dir.path(), 1)).unwrap();
    node.keyring.next_incarnation().unwrap();
    node.append(EntryPayload::Blank);
    node.run(create_database("a"));
    node.crash();
    let old = plain_keyring(dir.path(), 1);
    remove_tree(&disk, &options.raft_dir(old.raft_generation())).unwrap();
    let change = change(dir.path(), &old, 1);
    let refused = rebuild_form(&options, old.clone(), change, &GOES_ON);
    assert!(matches!(refused, Err(StorageError::PutBack { .. })), "{:?}", refused.err());
    assert!(!old.encryption_enabled());
}
