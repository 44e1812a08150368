//! Power is cut at a random operation of the disk, and what was acknowledged must be there afterwards.
//!
//! Acknowledged means here what it means in a replica set of one: the log's sync has returned. The seed is printed and
//! taken back from `COFFER_TEST_SEED`.

use std::collections::BTreeMap;

use bson::doc;
use coffer_proto::internal::v1::{Command, command::Action};
use openraft::{
    EntryPayload,
    storage::{IOFlushed, RaftLogStorage},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    TestNode,
    commands::{create_database, delete, drop_database, find, insert, update},
    node::keyring,
};
use crate::{
    StorageError, StorageOptions,
    raft::{Entry, Proposal, wire},
    sealed_fs::sim::SimDisk,
};

const SEEDS: u64 = 12;

/// What the databases should hold: by database id, `_id` to `n`.
type Model = BTreeMap<u64, BTreeMap<i32, i32>>;

struct World {
    dir: tempfile::TempDir,
    rng: ChaCha8Rng,
    /// The model after each entry, by index.
    models: Vec<Model>,
    names: BTreeMap<String, u64>,
}

fn options(world: &World, disk: &SimDisk) -> StorageOptions {
    let mut options = StorageOptions::new(world.dir.path().join("member-1"));
    options.disk = std::sync::Arc::new(disk.clone());
    options
}

fn open(world: &World, disk: &SimDisk) -> Result<TestNode, StorageError> {
    TestNode::try_open_with(options(world, disk), keyring(world.dir.path(), 1))
}

/// A random command, and what the databases hold after it if it gets `index`.
fn step(world: &mut World, index: u64) -> Option<Action> {
    let mut model = world.models.last().cloned().unwrap_or_default();
    let name = format!("db{}", world.rng.random_range(0..3));
    let existing = world.names.get(&name).copied();
    let id = world.rng.random_range(0..20);
    let action = match (existing, world.rng.random_range(0..20)) {
        // A real log begins with a membership.
        _ if index == 0 => None,
        (None, _) => {
            world.names.insert(name.clone(), index);
            model.insert(index, BTreeMap::new());
            Some(create_database(&name))
        }
        (Some(db), 0) => {
            world.names.remove(&name);
            model.remove(&db);
            Some(drop_database(&name, db))
        }
        (Some(db), 1..=10) => {
            model.get_mut(&db).unwrap().entry(id).or_insert(0);
            Some(insert(db, "c", &[doc! {"_id": id, "n": 0, "filler": "f".repeat(200)}]))
        }
        (Some(db), 11..=16) => {
            if let Some(n) = model.get_mut(&db).unwrap().get_mut(&id) {
                *n += 1;
            }
            Some(Action::Update(update(db, "c", doc! {"_id": id}, doc! {"$inc": {"n": 1}})))
        }
        (Some(db), 17) => {
            model.get_mut(&db).unwrap().retain(|key, _| *key < id);
            Some(Action::Delete(delete(db, "c", doc! {"_id": {"$gte": id}})))
        }
        _ => None,
    };
    world.models.push(model);
    action
}

/// Runs until the power is cut. Answers the index of the last acknowledged entry.
fn run(world: &mut World, node: &mut TestNode, steps: usize) -> Option<u64> {
    let mut acknowledged = None;
    for _ in 0..steps {
        let log_id = node.next_id();
        let payload = match step(world, log_id.index) {
            Some(action) => EntryPayload::Normal(Proposal::new(&Command {
                format: wire::FORMAT,
                feature: 1,
                action: Some(action),
                ..Command::default()
            })),
            None => EntryPayload::Blank,
        };
        let entry = Entry { log_id, payload };
        let appended = futures::executor::block_on(node.log.append([entry.clone()], IOFlushed::noop()));
        if appended.is_err() {
            return acknowledged;
        }
        // Several entries wait for one sync, as under load.
        if world.rng.random_bool(0.4) {
            continue;
        }
        if node.log.sync().is_err() {
            return acknowledged;
        }
        acknowledged = Some(log_id.index);
        if catch_up(node, log_id.index).is_err() || upkeep(world, node).is_err() {
            return acknowledged;
        }
    }
    acknowledged
}

/// Applies what the log holds, up to `through`.
fn catch_up(node: &TestNode, through: u64) -> Result<(), StorageError> {
    let next = node.engine.applied().map_or(0, |id| id.index + 1);
    for entry in node.log.read_entries(next, through + 1, u64::MAX)? {
        node.engine.apply(&entry)?;
    }
    Ok(())
}

fn upkeep(world: &mut World, node: &mut TestNode) -> Result<(), StorageError> {
    let io = |error| StorageError::io("test", error);
    match world.rng.random_range(0..12) {
        0 => node.engine.checkpoint().map(drop),
        1 => node.engine.flush_largest(),
        2 => {
            let Some(target) = node.log.purge_target(2000, node.log.checkpoint_end())? else { return Ok(()) };
            let entry = node.log.read_entries(target, target + 1, u64::MAX)?.remove(0);
            futures::executor::block_on(node.log.purge(entry.log_id)).map_err(io)
        }
        3 => futures::executor::block_on(node.log.save_committed(node.engine.applied())).map_err(io),
        _ => Ok(()),
    }
}

fn check(world: &World, node: &TestNode, index: u64) {
    let model = usize::try_from(index).map(|index| &world.models[index]).unwrap();
    for (db, documents) in model {
        let found: BTreeMap<i32, i32> = find(node, *db, "c", doc! {}, |_| ())
            .unwrap()
            .iter()
            .map(|document| (document.get_i32("_id").unwrap(), document.get_i32("n").unwrap()))
            .collect();
        assert_eq!(&found, documents, "database {db} at entry {index}");
    }
    let open: Vec<u64> = node
        .engine
        .databases()
        .instances()
        .iter()
        .map(|instance| instance.id().0)
        .filter(|id| *id > 0)
        .collect();
    assert_eq!(open, model.keys().copied().collect::<Vec<_>>());
}

fn one_life(seed: u64) {
    let mut world = World {
        dir: tempfile::tempdir().unwrap(),
        rng: ChaCha8Rng::seed_from_u64(seed),
        models: Vec::new(),
        names: BTreeMap::new(),
    };
    let mut disk = SimDisk::new(1 << 30);
    let mut node = open(&world, &disk).unwrap();
    let mut acknowledged = None;
    for life in 0..4 {
        let cut = disk.mutations() + world.rng.random_range(1..400);
        disk.cut_power_at(cut);
        let now = run(&mut world, &mut node, 200);
        acknowledged = now.or(acknowledged);
        node.crash();
        disk = disk.power_loss(seed ^ life);
        node = open(&world, &disk).unwrap_or_else(|error| panic!("life {life}: {error}"));
        let last = node.log.last_log_id().map(|id| id.index);
        assert!(
            last >= acknowledged,
            "life {life}: the log ends at {last:?}, {acknowledged:?} was acknowledged"
        );
        // A new leader would commit what the log holds; entries that were lost never were.
        if let Some(last) = last {
            catch_up(&node, last).unwrap();
            check(&world, &node, last);
            acknowledged = Some(last);
        }
        let kept = last.map_or(0, |last| usize::try_from(last + 1).unwrap());
        world.models.truncate(kept);
        let alive = world.models.last().cloned().unwrap_or_default();
        world.names = node.engine.databases().names().map(|(name, id)| (name.to_owned(), id.0)).collect();
        assert_eq!(world.names.len(), alive.len());
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut() {
    match std::env::var("COFFER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => one_life(seed),
        None => {
            let first = u64::from(std::process::id()) << 16;
            for seed in first..first + SEEDS {
                println!("COFFER_TEST_SEED={seed}");
                one_life(seed);
            }
        }
    }
}
