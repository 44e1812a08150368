//! Power loss under members of a replica set, under load.

use bson::doc;
use coffer_keyring::DatabaseId;
use coffer_proto::internal::v1::command::Action;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    commands::{create_database, find, insert, update, with_retry},
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
