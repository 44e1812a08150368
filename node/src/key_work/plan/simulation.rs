//! Plays the plan with members that crash, are cut off and come back, and leaders that change in the middle, from a seed.
//!
//! A run that fails prints its seed; `COFFER_SEED=n` plays that one alone.

use std::collections::{BTreeMap, BTreeSet};

use coffer_keyring::kms::KeyArn;
use coffer_proto::internal::v1::{DatabaseKeyState, MemberKeysRecord, SettingsRecord};

use super::super::KeyTargets;
use super::{Decision, MemberView, Situation, Work, decide};

/// Runs of a test without a seed.
const RUNS: u64 = 400;

/// Milliseconds of a step.
const STEP_MS: i64 = 1_000;

/// Steps in which things go wrong, and after them those in which everything has to come to its end.
const ROUGH: u64 = 400;
const CALM: u64 = 3_000;

/// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A member: what its keystore holds, and what its process does.
#[derive(Clone, Debug)]
struct Process {
    keys: MemberKeysRecord,
    /// Steps until it runs again.
    down: u64,
    /// Steps for which the leader does not hear from it.
    cut_off: u64,
    /// What it does, the term of who told it, the customer's key at that time, and the steps that it takes.
    work: Option<(Work, String, u64)>,
    /// What the leader heard of it last, and stored.
    stored: MemberKeysRecord,
    highest_term: u64,
    /// Steps that its databases are still being rewritten.
    rewriting: BTreeMap<u64, u64>,
}

struct World {
    dice: Dice,
    members: BTreeMap<u64, Process>,
    removed: BTreeSet<u64>,
    leader: u64,
    term: u64,
    settings: SettingsRecord,
    targets: KeyTargets,
    databases: BTreeSet<u64>,
    /// When the present leader heard of a member last.
    heard: BTreeMap<u64, i64>,
    refused: BTreeMap<u64, i64>,
    now_ms: i64,
    orders: u64,
}

fn cmk(number: u64) -> KeyArn {
    KeyArn::parse(&format!("arn:aws:kms:eu-central-1:111122223333:key/mrk-{number:032x}")).unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let count = 3 + dice.below(3);
        let members = (1..=count).map(|id| (id, Process::new(id))).collect();
        Self {
            dice,
            members,
            removed: BTreeSet::new(),
            leader: 1,
            term: 1,
            settings: SettingsRecord { cmk_arn: cmk(0).to_string(), ..SettingsRecord::default() },
            targets: KeyTargets::default(),
            databases: (1..=6).collect(),
            heard: BTreeMap::new(),
            refused: BTreeMap::new(),
            now_ms: STEP_MS,
            orders: 0,
        }
    }

    fn step(&mut self, rough: bool) {
        self.now_ms += STEP_MS;
        if rough {
            self.disturb();
            self.ask();
        }
        self.work();
        if self.leads() {
            self.lead(rough);
        }
        self.check();
    }

    fn leads(&self) -> bool {
        let up = |process: &Process| process.down == 0 && process.cut_off == 0;
        let majority = self.members.values().filter(|process| up(process)).count() > self.members.len() / 2;
        majority && up(&self.members[&self.leader])
    }

    fn any_member(&mut self) -> u64 {
        let ids: Vec<_> = self.members.keys().copied().collect();
        ids[usize::try_from(self.dice.below(ids.len() as u64)).unwrap()]
    }

    /// Crashes, partitions, elections, membership.
    fn disturb(&mut self) {
        if self.dice.chance(4) {
            let (id, steps) = (self.any_member(), 1 + self.dice.below(40));
            let done = self.dice.chance(50);
            let process = self.members.get_mut(&id).unwrap();
            // A crash is before the keystore's replacement, or after it.
            process.end_work(done);
            process.down = process.down.max(steps);
        }
        if self.dice.chance(4) {
            let (id, steps) = (self.any_member(), 1 + self.dice.below(20));
            let process = self.members.get_mut(&id).unwrap();
            process.cut_off = process.cut_off.max(steps);
        }
        if self.dice.chance(3) || !self.leads() {
            self.elect();
        }
        if self.dice.chance(1) && self.members.len() < 5 {
            let id = self.members.keys().chain(&self.removed).max().unwrap() + 1;
            self.members.insert(id, Process::new(id));
        }
        if self.dice.chance(1) && self.members.len() > 3 {
            let id = self.any_member();
            if id != self.leader {
                self.members.remove(&id);
                self.removed.insert(id);
            }
        }
    }

    fn elect(&mut self) {
        let up = |process: &Process| process.down == 0 && process.cut_off == 0;
        let fit: Vec<_> = self.members.iter().filter(|(_, process)| up(process)).map(|(id, _)| *id).collect();
        if fit.len() <= self.members.len() / 2 {
            return;
        }
        self.leader = fit[usize::try_from(self.dice.below(fit.len() as u64)).unwrap()];
        self.term += 1;
        // What a leader has in memory is gone with it.
        self.heard = self.members.keys().map(|id| (*id, self.now_ms)).collect();
        self.refused.clear();
    }

    /// People ask for things.
    fn ask(&mut self) {
        if !self.leads() || !self.dice.chance(6) {
            return;
        }
        let now = self.now_ms;
        match self.dice.below(7) {
            0 => {
                self.targets.request_all_masters(now);
            }
            1 => {
                let id = self.any_member();
                self.targets.request_master_round(Some(id), now).unwrap();
            }
            2 => {
                let old = KeyArn::parse(&self.settings.cmk_arn).unwrap();
                let new = cmk(self.dice.below(4));
                if old != new {
                    self.targets.request_cmk_round(&old, &new, now).unwrap();
                    self.settings.cmk_arn = new.to_string();
                }
            }
            3 | 4 => {
                let id = 1 + self.dice.below(6);
                if self.databases.contains(&id) {
                    self.targets.request_database_round(id, now).unwrap();
                }
            }
            5 => {
                let enabled = self.dice.chance(50);
                self.targets.request_encryption(enabled, now);
            }
            _ => {
                let id = 2 + self.dice.below(5);
                if self.dice.chance(10) {
                    self.databases.remove(&id);
                }
            }
        }
    }

    /// A step of every process.
    fn work(&mut self) {
        for process in self.members.values_mut() {
            process.down = process.down.saturating_sub(1);
            process.cut_off = process.cut_off.saturating_sub(1);
            if process.down > 0 {
                continue;
            }
            for left in process.rewriting.values_mut() {
                *left = left.saturating_sub(1);
            }
            if let Some((_, _, left)) = &mut process.work {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    process.end_work(true);
                }
            }
        }
    }

    /// A step of the leader: it asks, decides, and does it.
    fn lead(&mut self, rough: bool) {
        let situation = self.look();
        match decide(&situation) {
            Decision::Store { targets, .. } => self.targets = targets,
            Decision::HandOver => {
                let before = self.leader;
                self.elect();
                assert!(!situation.members.is_empty() && before > 0);
            }
            Decision::Order { member, work } => self.order(member, work, rough),
            Decision::Wait | Decision::Finished => {}
        }
    }

    fn look(&mut self) -> Situation {
        let mut members = Vec::new();
        for (id, process) in &mut self.members {
            let answers = *id == self.leader || (process.down == 0 && process.cut_off == 0);
            if answers {
                self.heard.insert(*id, self.now_ms);
                process.highest_term = process.highest_term.max(self.term);
                process.stored = process.report(&self.targets);
            }
            let silent = self.now_ms - self.heard.get(id).copied().unwrap_or(self.now_ms);
            members.push(MemberView {
                id: *id,
                voter: true,
                report: Some(MemberKeysRecord {
                    busy: answers && process.stored.busy,
                    ..process.stored.clone()
                }),
                silent_ms: (!answers).then_some(silent),
                refused: self
                    .refused
                    .get(id)
                    .filter(|until| **until > self.now_ms)
                    .map(|_| "not now".to_owned()),
            });
        }
        Situation {
            leader: self.leader,
            settings: self.settings.clone(),
            targets: self.targets.clone(),
            members,
            databases: self.databases.clone(),
            now_ms: self.now_ms,
        }
    }

    fn order(&mut self, member: u64, work: Work, rough: bool) {
        self.orders += 1;
        self.targets.give_turn(member, matches!(work, Work::Encryption { .. }));
        if rough && self.dice.chance(10) {
            return; // lost on its way
        }
        if rough && self.dice.chance(10) {
            self.refused.insert(member, self.now_ms + 5 * STEP_MS);
            return;
        }
        let steps = match work {
            Work::Encryption { .. } => 1 + self.dice.below(60),
            _ => 1 + self.dice.below(4),
        };
        let rewrites = 1 + self.dice.below(20);
        let (term, settings) = (self.term, self.settings.cmk_arn.clone());
        let process = self.members.get_mut(&member).unwrap();
        assert!(process.work.is_none(), "an order to a member that is at work");
        assert!(term >= process.highest_term);
        if let Work::Database { database_id, round } = work {
            // Begun at once; the rest goes on by itself.
            process.set_database(database_id, round);
            process.rewriting.insert(database_id, rewrites);
        } else {
            process.work = Some((work, settings, steps));
        }
    }

    fn check(&self) {
        let working: Vec<_> =
            self.members.iter().filter(|(_, process)| process.work.is_some()).map(|(id, _)| *id).collect();
        assert!(working.len() <= 1, "members {working:?} work at once");
        // Whoever deletes a key that is neither current nor named as needed must not lose a member by that.
        let named = &self.targets.record().old_cmk_arns;
        // One that just joined under a key of its own has not been heard of.
        let told = |keys: &MemberKeysRecord| keys.master_round > 0 || keys.encryption_round > 0;
        let sealed = |process: &&Process| process.keys.encryption_enabled && told(&process.keys);
        for process in self.members.values().filter(sealed) {
            let cmk = &process.keys.cmk_arn;
            assert!(*cmk == self.settings.cmk_arn || named.contains(cmk), "{cmk} is forgotten: {process:?}");
        }
    }

    fn assert_finished(&mut self) {
        let situation = self.look();
        assert_eq!(decide(&situation), Decision::Finished);
        let targets = self.targets.record();
        assert!(
            targets.databases.is_empty() && targets.members.is_empty() && targets.old_cmk_arns.is_empty()
        );
        for process in self.members.values() {
            let keys = &process.keys;
            assert_eq!(keys.encryption_enabled, targets.encryption_round == 0 || targets.encryption_enabled);
            if keys.encryption_enabled {
                assert!(keys.master_round >= targets.master_round, "{keys:?}");
                assert_eq!(keys.cmk_arn, self.settings.cmk_arn);
            }
        }
    }
}

impl Process {
    fn new(id: u64) -> Self {
        let keys = MemberKeysRecord {
            member_id: id,
            cmk_arn: cmk(0).to_string(),
            encryption_enabled: true,
            may_turn_encryption_off: true,
            ..MemberKeysRecord::default()
        };
        let stored = keys.clone();
        Self { keys, down: 0, cut_off: 0, work: None, stored, highest_term: 0, rewriting: BTreeMap::new() }
    }

    fn report(&self, targets: &KeyTargets) -> MemberKeysRecord {
        let mut keys = self.keys.clone();
        keys.busy = self.work.is_some();
        keys.databases.retain(|state| {
            targets.record().databases.iter().any(|asked| asked.database_id == state.database_id)
        });
        for state in &mut keys.databases {
            let left = self.rewriting.get(&state.database_id).copied().unwrap_or(0);
            state.percent = if left == 0 { 100 } else { 50 };
            state.versions = if left == 0 { 1 } else { 2 };
        }
        keys
    }

    fn set_database(&mut self, database_id: u64, round: u64) {
        self.keys.databases.retain(|state| state.database_id != database_id);
        self.keys.databases.push(DatabaseKeyState { database_id, round, ..DatabaseKeyState::default() });
    }

    fn end_work(&mut self, done: bool) {
        let Some((work, cmk, _)) = self.work.take().filter(|_| done) else { return };
        match work {
            Work::Master { round } => {
                self.keys.master_round = self.keys.master_round.max(round);
                self.keys.cmk_arn = cmk;
            }
            Work::Encryption { enabled, round } => {
                self.keys.encryption_enabled = enabled;
                self.keys.encryption_round = round;
                self.keys.cmk_arn = if enabled { cmk } else { String::new() };
                self.keys.databases.clear();
                self.rewriting.clear();
            }
            Work::Database { .. } | Work::Rewrap => {}
        }
    }
}

fn play(seed: u64) {
    // Shown with a failure only.
    eprintln!("COFFER_SEED={seed}");
    let mut world = World::new(seed);
    for _ in 0..ROUGH {
        world.step(true);
    }
    for process in world.members.values_mut() {
        (process.down, process.cut_off) = (0, 0);
    }
    let mut calm = 0;
    loop {
        world.step(false);
        calm += 1;
        let situation = world.look();
        if decide(&situation) == Decision::Finished
            && world.members.values().all(|member| member.work.is_none())
        {
            break;
        }
        assert!(calm < CALM, "it does not come to an end: {situation:#?}");
    }
    world.assert_finished();
    assert!(world.orders > 0, "nothing was asked for");
}

#[test]
fn whatever_happens_everything_is_done_in_the_end_and_never_by_two_at_once() {
    match std::env::var("COFFER_SEED") {
        Ok(seed) => play(seed.parse().unwrap()),
        Err(_) => (0..RUNS).for_each(play),
    }
}
