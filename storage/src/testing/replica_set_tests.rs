//! Power loss under members of a replica set, under load.

use bson::doc;
use coffer_keyring::{DatabaseId, KeyOwner};
use coffer_proto::internal::v1::command::Action;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    commands::{create_database, drop_database, find, insert, update, with_retry},
    replica_set::ReplicaSet,
};
use crate::raft::Proposal;

const ROUNDS: i32 = 5;
const WRITES: i32 = 40;

/// The leader loses its power in the middle of writes, with appends that it has not synced: a leader that resumed in its
/// own term would give their log ids to other entries, and the members would differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_agree_and_nothing_acknowledged_is_lost_when_leaders_lose_power() {
    let seed = std::env::var("COFFER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("COFFER_TEST_SEED={seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut set = ReplicaSet::start().await;
    let mut sequence = 0;
    let mut next = || {
        sequence += 1;
        sequence
    };
    let db = set.write(&with_retry(create_database("shop"), 1, next(), 0, 0)).await.database_id;
    set.write(&with_retry(insert(db, "c", &[doc! {"_id": -1, "n": 0}]), 1, next(), 0, 0)).await;
    for round in 0..ROUNDS {
        let victim = set.leader().filter(|_| rng.random_bool(0.8)).unwrap_or_else(|| rng.random_range(1..=3));
        set.cut_power_after(victim, rng.random_range(1..60));
        for write in 0..WRITES {
            let id = round * WRITES + write;
            let inserted =
                set.write(&with_retry(insert(db, "c", &[doc! {"_id": id}]), 1, next(), 0, 0)).await;
            assert_eq!(inserted.inserted, 1, "a retried insert is answered as the first try was");
            let inc = update(db, "c", doc! {"_id": -1}, doc! {"$inc": {"n": 1}});
            set.write(&with_retry(Action::Update(inc), 1, next(), 0, 0)).await;
            if write == WRITES / 2 {
                set.restart_after_power_loss(victim, rng.random()).await;
            }
        }
    }
    set.converge().await;
    let mut hashes = Vec::new();
    for member in set.members.values() {
        let all = find(&member.node, db, "c", doc! {"_id": {"$gte": 0}}, |_| ()).unwrap();
        assert_eq!(all.len(), usize::try_from(ROUNDS * WRITES).unwrap());
        let counter = find(&member.node, db, "c", doc! {"_id": -1}, |_| ()).unwrap();
        assert_eq!(counter[0].get_i32("n").unwrap(), ROUNDS * WRITES, "each increment once");
        hashes.push(member.node.engine.state_hash(DatabaseId(db), None).unwrap().collections);
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    set.stop().await;
}

/// What the followers hold and the leader has not synced is committed all the same. The leader loses its power, and with it
/// those entries, and is back before anybody has missed it: it must not lead on in its term.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_lost_committed_entries_does_not_lead_on() {
    let mut set = ReplicaSet::start().await;
    let db = set.write(&with_retry(create_database("shop"), 1, 1, 0, 0)).await.database_id;
    for round in 0..4 {
        set.write(&with_retry(
            insert(db, "c", &[doc! {"_id": format!("before {round}")}]),
            2,
            round + 1,
            0,
            0,
        ))
        .await;
        set.converge().await;
        let leader = set.leader().expect("one leads, or nothing would have been written");
        set.hold_log_syncs(leader);
        let mut waiting = Vec::new();
        for n in 0..5 {
            let raft = set.members[&leader].raft.clone();
            let command =
                with_retry(insert(db, "c", &[doc! {"_id": format!("{round}-{n}")}]), 10 + n, round + 1, 0, 0);
            waiting.push(tokio::spawn(async move { raft.client_write(Proposal::new(&command)).await }));
        }
        let before = set.members[&leader].node.log.flushed().expect("the log is not empty").index;
        let followers = || set.members.iter().filter(|(id, _)| **id != leader);
        while followers().any(|(_, member)| member.node.engine.applied().is_none_or(|id| id.index <= before))
        {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let applied = set.members[&leader].node.engine.applied().expect("it has written before").index;
        assert!(applied <= before, "the leader applied what its own log does not hold on stable storage");
        set.restart_after_power_loss(leader, round).await;
        for n in 0..20 {
            let id = format!("after {round}-{n}");
            set.write(&with_retry(insert(db, "c", &[doc! {"_id": id}]), 30, round * 20 + n + 1, 0, 0)).await;
        }
        for waiting in waiting {
            waiting.abort();
        }
        set.converge().await;
        let hashes: Vec<_> = set
            .members
            .values()
            .map(|member| member.node.engine.state_hash(DatabaseId(db), None).unwrap().collections)
            .collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "round {round}: the members differ");
    }
    set.stop().await;
}

/// Databases are dropped and the keys of another are rotated while it is written: every member shreds the drops and
/// destroys the old keys, and all of them hold the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn drops_are_shredded_and_keys_rotated_under_load_on_every_member() {
    let mut set = ReplicaSet::start().await;
    let db = set.write(&with_retry(create_database("shop"), 1, 1, 0, 0)).await.database_id;
    set.look_after_keys(std::time::Duration::from_secs(2));
    let mut sequence = 1;
    let mut drops = Vec::new();
    for round in 0..3u64 {
        let gone = set.write(&with_retry(create_database("gone"), 2, 2 * round + 1, 0, 0)).await.database_id;
        for n in 0..20 {
            sequence += 1;
            let id = format!("{round}-{n}");
            set.write(&with_retry(insert(db, "c", &[doc! {"_id": &id}]), 1, sequence, 0, 0)).await;
            set.write(&with_retry(insert(gone, "c", &[doc! {"_id": id}]), 3, sequence, 0, 0)).await;
        }
        set.converge().await;
        for member in set.members.values() {
            member.node.engine.rotate_database_key(DatabaseId(db), round + 1).unwrap();
            // Its drop comes in the middle of that.
            member.node.engine.rotate_database_key(DatabaseId(gone), round + 1).unwrap();
        }
        let dropped = set.write(&with_retry(drop_database("gone", gone), 2, 2 * round + 2, 0, 0)).await;
        drops.push(dropped.applied_index);
        // A member that is away keeps nobody from shredding for longer than the patience.
        if round == 1 {
            let follower = (1..=3).find(|id| Some(*id) != set.leader()).unwrap();
            set.restart_after_power_loss(follower, round).await;
            set.look_after_keys(std::time::Duration::from_secs(2));
        }
    }
    let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(120);
    loop {
        let done = set.members.values().all(|member| {
            let engine = &member.node.engine;
            let shredded: Vec<_> = engine
                .shred_states()
                .iter()
                .filter(|drop| drop.shredded)
                .map(|drop| drop.log_index)
                .collect();
            // A member that got a snapshot has forgotten the drops that it never applied.
            let shred = drops.iter().all(|index| {
                shredded.contains(index) || engine.shred_states().iter().all(|drop| drop.log_index != *index)
            });
            let owners = [KeyOwner::Raft, KeyOwner::Database(DatabaseId(db))];
            shred && owners.iter().all(|owner| member.node.keyring.versions(*owner).len() == 1)
        });
        if done {
            break;
        }
        let states: Vec<_> = set.members.values().map(|m| m.node.engine.shred_states()).collect();
        assert!(tokio::time::Instant::now() < patience, "not shredded: {states:?}");
        sequence += 1;
        set.write(&with_retry(insert(db, "c", &[doc! {"_id": sequence as i64}]), 1, sequence, 0, 0)).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    set.converge().await;
    let mut hashes = Vec::new();
    for member in set.members.values() {
        let engine = &member.node.engine;
        assert!(member.node.log.failed().borrow().is_none());
        hashes.push(engine.state_hash(DatabaseId(db), None).unwrap().collections);
        let progress = engine.database_key_progress(DatabaseId(db)).unwrap();
        assert_eq!((progress.percent, progress.versions_in_use.len()), (100, 1));
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    set.stop().await;
}
