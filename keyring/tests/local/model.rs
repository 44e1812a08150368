//! Random changes, compared with a simple model, with restarts in between.

use std::collections::{BTreeMap, BTreeSet};

use coffer_keyring::{DatabaseId, FormChange, FormOrder, Generation, KeyOwner, KeyVersion, Keyring};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::seed::seed;
use crate::world::World;

/// The bytes of the keys of one owner, by version; none with encryption off.
type Versions = BTreeMap<u32, [u8; 32]>;

#[derive(Default)]
struct Model {
    encrypted: bool,
    alive: BTreeMap<u64, Versions>,
    rounds: BTreeMap<u64, u64>,
    tombstones: BTreeMap<u64, u64>,
    raft: Versions,
    incarnation: u64,
    generation: u64,
    raft_generation: u64,
    master: u32,
    /// Every version so far of any key when encryption was turned off last.
    floor: u32,
    master_round: u64,
    encryption_round: u64,
    order: Option<FormOrder>,
    settings: Option<Vec<u8>>,
}

impl Model {
    fn highest(&self) -> u32 {
        let keys = self.alive.values().chain([&self.raft]).filter_map(|versions| versions.keys().last());
        keys.copied().max().unwrap_or(0).max(self.master).max(self.floor)
    }

    fn compare(&self, keyring: &Keyring) {
        assert_eq!(keyring.encryption_enabled(), self.encrypted);
        let alive: Vec<_> = keyring.databases().iter().map(|id| id.0).collect();
        assert_eq!(alive, self.alive.keys().copied().collect::<Vec<_>>());
        for id in 0..40 {
            let database = DatabaseId(id);
            same(keyring, KeyOwner::Database(database), self.alive.get(&id));
            assert_eq!(keyring.tombstone(database), self.tombstones.get(&id).copied());
            assert_eq!(keyring.database_round(database), self.rounds.get(&id).copied().unwrap_or(0));
        }
        same(keyring, KeyOwner::Raft, Some(&self.raft));
        let report = keyring.report();
        assert_eq!((report.incarnation.0, report.generation.0), (self.incarnation, self.generation));
        assert_eq!(report.raft_generation.0, self.raft_generation);
        assert_eq!(report.masters.last().map_or(0, |master| master.version.0), self.master);
        assert_eq!(
            (report.master_round, report.encryption_round),
            (self.master_round, self.encryption_round)
        );
        assert_eq!((report.form_order, keyring.settings()), (self.order, self.settings.clone()));
        let wraps = report.raft.iter().chain(&report.audit);
        let mut wraps = wraps.chain(report.databases.iter().flat_map(|database| &database.keys));
        assert!(wraps.all(|key| key.wrapped_by.0 == self.master), "the one master key wraps them all");
    }

    fn form_changed(&mut self, keyring: &Keyring, round: u64) {
        self.generation += 1;
        self.raft_generation += 1;
        self.encrypted = !self.encrypted;
        self.encryption_round = self.encryption_round.max(round);
        self.master_round = self.master_round.max(round);
        self.order = None;
        self.raft = versions(keyring, KeyOwner::Raft);
        for (id, keys) in &mut self.alive {
            let database = self.rounds.entry(*id).or_default();
            *database = (*database).max(round);
            *keys = versions(keyring, KeyOwner::Database(DatabaseId(*id)));
        }
    }
}

/// The keys of `owner`, found by asking for each version.
fn versions(keyring: &Keyring, owner: KeyOwner) -> Versions {
    let Some(current) = keyring.current(owner) else { return Versions::new() };
    let held = (1..=current.version().0).filter_map(|version| keyring.get(owner, KeyVersion(version)));
    held.map(|key| (key.version().0, *key.bytes())).collect()
}

fn same(keyring: &Keyring, owner: KeyOwner, expected: Option<&Versions>) {
    assert_eq!(versions(keyring, owner), expected.cloned().unwrap_or_default(), "{owner}");
}

async fn reopen(world: &World, encrypted: bool) -> Keyring {
    if encrypted {
        return world.unseal().await.unwrap();
    }
    Keyring::open_plain(&world.path(), &world.cluster, world.member).unwrap().unwrap()
}

#[tokio::test]
async fn a_keyring_does_what_its_model_does() {
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let world = World::new();
    let mut keyring = world.create().await;
    let raft = versions(&keyring, KeyOwner::Raft);
    let mut model = Model { encrypted: true, generation: 1, master: 1, raft, ..Model::default() };
    for log_index in 1..300 {
        let id = random.random_range(1..40);
        let database = DatabaseId(id);
        let owner = KeyOwner::Database(database);
        match random.random_range(0..16) {
            0..3 => {
                let created = keyring.create_database(database, log_index);
                assert_eq!(created.is_ok(), !model.tombstones.contains_key(&id));
                if created.is_ok() && !model.alive.contains_key(&id) {
                    model.alive.insert(id, versions(&keyring, owner));
                }
            }
            3 => {
                keyring.drop_database(database, log_index).unwrap();
                model.alive.remove(&id);
                model.rounds.remove(&id);
                model.tombstones.entry(id).or_insert(log_index);
            }
            4 => {
                let version = keyring.rotate_raft_key().unwrap();
                if model.encrypted {
                    assert_eq!(version.0, model.raft.keys().last().unwrap() + 1);
                    let key = keyring.current(KeyOwner::Raft).unwrap();
                    model.raft.insert(version.0, *key.bytes());
                }
            }
            5 if model.encrypted => {
                let (oldest, newest) =
                    (*model.raft.keys().next().unwrap(), *model.raft.keys().last().unwrap());
                let keep = random.random_range(oldest..=newest);
                keyring.retire_raft_keys_before(KeyVersion(keep)).unwrap();
                model.raft.retain(|version, _| *version >= keep);
            }
            6 => {
                model.incarnation += 1;
                assert_eq!(keyring.next_incarnation().unwrap().0, model.incarnation);
            }
            7 => {
                let up_to = log_index.saturating_sub(50);
                keyring.prune_tombstones(up_to).unwrap();
                model.tombstones.retain(|_, dropped| *dropped > up_to);
            }
            8 if model.encrypted => {
                let region = if random.random_bool(0.5) { &world.home } else { &world.away };
                let done = keyring.rotate_master(&world.kms, &world.cmk, region, log_index).await.unwrap();
                model.master += 1;
                assert_eq!(done.version.0, model.master);
                model.master_round = model.master_round.max(log_index);
            }
            9 if model.encrypted => keyring.rewrap_master(&world.kms, &world.home).await.unwrap(),
            10 if model.alive.contains_key(&id) => {
                let before = versions(&keyring, owner);
                let version = keyring.add_database_key(database, log_index).unwrap();
                if model.encrypted {
                    assert_eq!(version.0, before.keys().last().unwrap() + 1);
                    model.alive.insert(id, versions(&keyring, owner));
                    assert_eq!(model.alive[&id].len(), before.len() + 1);
                }
                model.rounds.insert(id, log_index);
            }
            11 if model.alive.contains_key(&id) => {
                let needed: BTreeSet<_> = (0..2).map(|_| KeyVersion(random.random_range(1..20))).collect();
                keyring.retire_database_keys(database, &needed).unwrap();
                let held = model.alive.get_mut(&id).unwrap();
                let newest = held.keys().last().copied();
                held.retain(|version, _| Some(*version) == newest || needed.contains(&KeyVersion(*version)));
            }
            12 => {
                let settings = vec![random.random(); random.random_range(0..50)];
                keyring.set_settings(&settings).unwrap();
                model.settings = Some(settings);
            }
            13 => {
                let encryption = random.random_bool(0.5);
                keyring.order_form_change(encryption, log_index).unwrap();
                if encryption == model.encrypted {
                    model.order = None;
                    model.encryption_round = log_index;
                } else {
                    model.order = Some(FormOrder { encryption, round: log_index });
                }
            }
            14 if model.encrypted => {
                model.floor = model.highest();
                keyring = FormChange::to_plain(&keyring, log_index).unwrap().commit().unwrap();
                model.master = 0;
                model.form_changed(&keyring, log_index);
            }
            14 => {
                let change = FormChange::to_sealed(&keyring, world.params(), &world.kms, log_index).await;
                keyring = change.unwrap().commit().unwrap();
                model.master = model.floor + 1;
                model.form_changed(&keyring, log_index);
                assert_eq!(keyring.current(KeyOwner::Raft).unwrap().version().0, model.master);
            }
            15 => {
                let wanted: BTreeSet<u64> = (0..10).map(|_| random.random_range(1..40)).collect();
                let wanted = wanted.into_iter().filter(|id| !model.tombstones.contains_key(id));
                let staged: Vec<_> =
                    wanted.map(|id| keyring.stage_database_key(DatabaseId(id)).unwrap()).collect();
                model.generation += 1;
                keyring.switch_generation(Generation(model.generation), staged.clone(), log_index).unwrap();
                let next = staged.iter().map(|staged| {
                    let keys = staged.key().map(|key| (key.version().0, *key.bytes()));
                    (staged.database().0, keys.into_iter().collect())
                });
                let gone = std::mem::replace(&mut model.alive, next.collect());
                let gone = gone.into_keys().filter(|id| !model.alive.contains_key(id));
                model.tombstones.extend(gone.map(|id| (id, log_index)));
                model.rounds.retain(|id, _| model.alive.contains_key(id));
            }
            _ => {}
        }
        model.compare(&keyring);
        if random.random_range(0..4) == 0 {
            keyring = reopen(&world, model.encrypted).await;
        } else {
            model.compare(&reopen(&world, model.encrypted).await);
        }
    }
}
