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
