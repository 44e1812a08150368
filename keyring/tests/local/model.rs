//! Random changes, compared with a simple model, with restarts in between.

use std::collections::{BTreeMap, BTreeSet};

use coffer_keyring::{DatabaseId, Generation, KeyOwner, KeyVersion, Keyring};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::seed::seed;
use crate::world::World;

#[derive(Default)]
struct Model {
    /// Databases with the bytes of their keys.
    alive: BTreeMap<u64, [u8; 32]>,
    tombstones: BTreeMap<u64, u64>,
    raft: BTreeMap<u32, [u8; 32]>,
    incarnation: u64,
    generation: u64,
}

fn compare(keyring: &Keyring, model: &Model) {
    let alive: Vec<_> = keyring.databases().iter().map(|id| id.0).collect();
    assert_eq!(alive, model.alive.keys().copied().collect::<Vec<_>>());
    for (id, bytes) in &model.alive {
        assert_eq!(keyring.current(KeyOwner::Database(DatabaseId(*id))).unwrap().bytes(), bytes);
    }
    for id in 0..40 {
        let key = keyring.current(KeyOwner::Database(DatabaseId(id)));
        assert_eq!(key.is_some(), model.alive.contains_key(&id));
        assert_eq!(keyring.tombstone(DatabaseId(id)), model.tombstones.get(&id).copied());
    }
    for (version, bytes) in &model.raft {
        assert_eq!(keyring.get(KeyOwner::Raft, KeyVersion(*version)).unwrap().bytes(), bytes);
    }
    assert_eq!(keyring.report().raft.len(), model.raft.len());
    assert_eq!(keyring.incarnation().0, model.incarnation);
    assert_eq!(keyring.generation().0, model.generation);
}

fn raft_key(keyring: &Keyring) -> (u32, [u8; 32]) {
    let key = keyring.current(KeyOwner::Raft).unwrap();
    (key.version().0, *key.bytes())
}

#[tokio::test]
async fn a_keyring_does_what_its_model_does() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let world = World::new();
    let mut keyring = world.create().await;
    let mut model = Model { generation: 1, ..Model::default() };
    model.raft.extend([raft_key(&keyring)]);
    for log_index in 1..400 {
        let id = random.random_range(1..40);
        let database = DatabaseId(id);
        match random.random_range(0..10) {
            0..3 => {
                let created = keyring.create_database(database, log_index);
                assert_eq!(created.is_ok(), !model.tombstones.contains_key(&id));
                if let Some(key) = keyring.current(KeyOwner::Database(database)) {
                    model.alive.entry(id).or_insert(*key.bytes());
                }
            }
            3..5 => {
                keyring.drop_database(database, log_index).unwrap();
                model.alive.remove(&id);
                model.tombstones.entry(id).or_insert(log_index);
            }
            5 => {
                let version = keyring.rotate_raft_key().unwrap();
                let (current, bytes) = raft_key(&keyring);
                assert_eq!(version.0, current);
                model.raft.insert(current, bytes);
            }
            6 => {
                let (oldest, newest) = (*model.raft.keys().next().unwrap(), raft_key(&keyring).0);
                let keep = random.random_range(oldest..=newest);
                keyring.retire_raft_keys_before(KeyVersion(keep)).unwrap();
                model.raft.retain(|version, _| *version >= keep);
            }
            7 => {
                model.incarnation += 1;
                assert_eq!(keyring.next_incarnation().unwrap().0, model.incarnation);
            }
            8 => {
                let up_to = log_index.saturating_sub(50);
                keyring.prune_tombstones(up_to).unwrap();
                model.tombstones.retain(|_, dropped| *dropped > up_to);
            }
            _ => {
                let wanted: BTreeSet<u64> = (0..10).map(|_| random.random_range(1..40)).collect();
                let wanted = wanted.into_iter().filter(|id| !model.tombstones.contains_key(id));
                let staged: Vec<_> =
                    wanted.map(|id| keyring.stage_database_key(DatabaseId(id)).unwrap()).collect();
                model.generation += 1;
                keyring.switch_generation(Generation(model.generation), staged.clone(), log_index).unwrap();
                let next = staged.iter().map(|key| (key.database().0, *key.key().unwrap().bytes()));
                let gone = std::mem::replace(&mut model.alive, next.collect());
                let gone = gone.into_keys().filter(|id| !model.alive.contains_key(id));
                model.tombstones.extend(gone.map(|id| (id, log_index)));
            }
        }
        if random.random_range(0..20) == 0 {
            keyring = world.unseal().await.unwrap();
        }
        compare(&keyring, &model);
    }
    compare(&world.unseal().await.unwrap(), &model);
}
