//! Three members, two or three Regions, and chance: outages, cuts, throttling, revocations. What must hold is checked at every
//! step, against a model that knows only what the members were answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scene::{Answer, MULTI, away, far, home, key, secs};
use crate::health::Verdict;
use crate::kms::Region;
use crate::verdict::{
    DeniedFact, Event, Machine, Observation, Policy, Rounds, Stance, Step, Stop, WatchedKey,
};

/// A supervisor starts a member again after this.
const RESTART: Duration = Duration::from_secs(5);

enum Life {
    Runs(Box<Machine>),
    Sealed(Box<Rounds>),
    /// Until the supervisor starts it.
    Stopped(Duration),
}

struct Member {
    life: Life,
    /// Survives a restart.
    denied: BTreeSet<Region>,
    /// Ends of probes and attempts.
    under_way: Vec<(Duration, Observation)>,
    wake: Option<Duration>,
    told_last: Option<(Duration, Vec<DeniedFact>)>,
    active: Region,
    model: Model,
}

/// What a member was answered, and what follows from the rules.
#[derive(Default)]
struct Model {
    /// Denials since the last access, in this life.
    denials: BTreeMap<Region, u32>,
    last: BTreeMap<Region, Verdict>,
    /// Denials that counted, in this life.
    pending: BTreeSet<Region>,
    /// Home denied and gave no access since, in any life.
    home_denied: bool,
    told: BTreeSet<Region>,
}

struct World {
    random: ChaCha8Rng,
    now: Duration,
    policy: Policy,
    regions: Vec<Region>,
    out: BTreeMap<Region, Answer>,
    disabled: BTreeSet<Region>,
    /// What a member meets on its way to a Region.
    ways: BTreeMap<(usize, Region), Answer>,
    peers_cut: BTreeSet<(usize, usize)>,
    /// Whether anything was denied in this run.
    denials: bool,
    members: Vec<Member>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut regions = vec![home(), away(), far()];
        regions.truncate(random.random_range(2..=3));
        let policy = Policy { failback_after: secs(random.random_range(30..600)), ..Policy::default() };
        let watched = key(MULTI, &regions);
        let members = (0..3).map(|_| Member::sealed(policy, watched.clone(), BTreeSet::new())).collect();
        let denials = random.random_bool(0.5);
        Self {
            random,
            now: Duration::ZERO,
            policy,
            regions,
            out: BTreeMap::new(),
            disabled: BTreeSet::new(),
            ways: BTreeMap::new(),
            peers_cut: BTreeSet::new(),
            denials,
            members,
        }
    }

    fn watched(&self) -> WatchedKey {
        key(MULTI, &self.regions)
    }

    fn answer(&self, member: usize, region: &Region) -> Answer {
        let way = self.ways.get(&(member, region.clone())).copied();
        match (way, self.out.get(region).copied()) {
            (Some(cut @ (Answer::Out | Answer::Silent)), _) | (_, Some(cut)) => cut,
            (_, None) if self.disabled.contains(region) => Answer::Disabled,
            (Some(way), None) => way,
            (None, None) => Answer::Works,
        }
    }

    /// One stroke of fate.
    fn fate(&mut self) {
        let region = self.regions[self.random.random_range(0..self.regions.len())].clone();
        let member = self.random.random_range(0..3);
        let cut = if self.random.random_bool(0.5) { Answer::Out } else { Answer::Silent };
        match self.random.random_range(0..12) {
            0 => drop(self.out.insert(region, cut)),
            1 | 2 => drop(self.out.remove(&region)),
            3 => drop(self.ways.insert((member, region), cut)),
            4 => drop(self.ways.insert((member, region), Answer::Throttled)),
            5..=7 => drop(self.ways.remove(&(member, region))),
            8 if self.denials => drop(self.disabled.insert(region)),
            9 if self.denials => drop(self.ways.insert((member, region), Answer::NoAccess)),
            10 => drop(self.disabled.remove(&region)),
            _ => {
                let pair = (member, (member + 1) % 3);
                if !self.peers_cut.remove(&pair) {
                    self.peers_cut.insert(pair);
                }
            }
        }
    }

    /// Runs to `until`.
    fn run(&mut self, until: Duration) {
        loop {
            let next = self.members.iter().filter_map(Member::next).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            for at in 0..self.members.len() {
                if self.members[at].next().is_some_and(|next| next <= self.now) {
                    self.act(at);
                }
            }
        }
        self.now = until;
    }

    fn act(&mut self, at: usize) {
        let now = self.now;
        let ended = self.members[at].under_way.iter().position(|(end, _)| *end <= now);
        let seen = ended.map(|ended| self.members[at].under_way.remove(ended).1);
        match &self.members[at].life {
            Life::Stopped(_) => {
                let denied = self.members[at].denied.clone();
                let home_denied = self.members[at].model.home_denied;
                self.members[at] = Member::sealed(self.policy, self.watched(), denied);
                self.members[at].model.home_denied = home_denied;
            }
            Life::Runs(_) => {
                let jitter = self.random.random_range(0.0..0.1);
                let event = seen.map_or(Event::Tick, |seen| Event::Probed { seen, jitter });
                self.deliver(at, event);
            }
            Life::Sealed(_) => self.sealed(at, seen),
        }
    }

    fn sealed(&mut self, at: usize, seen: Option<Observation>) {
        let now = self.now;
        if let Some(seen) = seen {
            self.members[at].note(&seen, true);
            let Life::Sealed(rounds) = &mut self.members[at].life else { unreachable!() };
            rounds.answered(now, seen.clone());
            let (denied, tell) = (rounds.denied().clone(), rounds.tell());
            self.members[at].denied = denied;
            self.tell(at, tell.into_iter().collect());
            if seen.verdict == Verdict::Accessible {
                let key = self.watched();
                self.members[at].unsealed(self.policy, key, &seen);
                return self.deliver(at, Event::Tick);
            }
        }
        let Life::Sealed(rounds) = &mut self.members[at].life else { unreachable!() };
        match rounds.step(now) {
            Step::Ask(region) => {
                let refused = self.members[at].model.home_denied && region != home();
                assert!(!refused, "a sealed member went round a denial of home");
                self.ask(at, &region);
                self.members[at].wake = None;
            }
            Step::Wait(until) => {
                let idle = self.members[at].under_way.is_empty();
                self.members[at].wake = idle.then_some(until);
            }
        }
    }

    fn ask(&mut self, at: usize, region: &Region) {
        let member = &self.members[at];
        assert!(!member.under_way.iter().any(|(_, seen)| seen.region == *region), "two probes of {region}");
        let answer = self.answer(at, region);
        let seen = answer.observe(region, self.now);
        self.members[at].under_way.push((self.now + answer.takes(), seen));
    }

    /// Gives an event to a running member, and checks what it decides.
    fn deliver(&mut self, at: usize, event: Event) {
        let now = self.now;
        let member = &mut self.members[at];
        match &event {
            Event::Probed { seen, .. } => {
                let counts = seen.region == home() || seen.region == member.active;
                member.note(&seen.clone(), counts);
            }
            Event::Told { region, confirmed: true, .. } => drop(member.model.told.insert(region.clone())),
            _ => {}
        }
        let Life::Runs(machine) = &mut member.life else { return };
        let decision = machine.on(now, event);
        let before = std::mem::replace(&mut member.active, decision.active.clone());
        if before != decision.active {
            let pending = &member.model.pending;
            assert!(pending.is_empty(), "it left {before} although {pending:?} had denied");
            let last = member.model.last.get(&decision.active);
            assert_eq!(last, Some(&Verdict::Accessible), "it went to {} blindly", decision.active);
        }
        for region in &member.model.pending {
            assert!(decision.denied.contains(region), "the denial in {region} was forgotten");
        }
        member.denied = decision.denied.clone();
        member.wake = decision.wake;
        if let Stance::ShutDown(stop) = &decision.stance {
            assert!(self.denials, "nothing was ever denied, and a member stopped: {stop:?}");
            member.check_stop(stop, self.policy.confirmations);
            member.life = Life::Stopped(now + RESTART);
            member.under_way.clear();
        }
        for region in decision.probe {
            self.ask(at, &region);
        }
        self.tell(at, decision.tell);
    }

    /// Tells the peers what is new, and what is not once in an interval.
    fn tell(&mut self, from: usize, facts: Vec<DeniedFact>) {
        let last = &self.members[from].told_last;
        let again =
            last.as_ref().is_none_or(|(at, told)| *told != facts || self.now >= *at + self.policy.interval);
        if facts.is_empty() || !again {
            return;
        }
        self.members[from].told_last = Some((self.now, facts.clone()));
        for to in (0..3).filter(|to| *to != from) {
            if self.peers_cut.contains(&(from, to)) || self.peers_cut.contains(&(to, from)) {
                continue;
            }
            for fact in &facts {
                match &mut self.members[to].life {
                    Life::Runs(_) => {
                        let region = fact.region.clone();
                        self.deliver(to, Event::Told { by: from as u64, region, confirmed: fact.confirmed });
                    }
                    Life::Sealed(rounds) => {
                        rounds.told(&fact.region);
                        self.members[to].denied = rounds.denied().clone();
                    }
                    Life::Stopped(_) => {}
                }
            }
        }
    }

    fn running(&self) -> usize {
        self.members.iter().filter(|member| matches!(member.life, Life::Runs(_))).count()
    }
}

impl Member {
    fn sealed(policy: Policy, key: WatchedKey, denied: BTreeSet<Region>) -> Self {
        let active = key.home().clone();
        let rounds = Rounds::new(policy, key, denied.clone(), None);
        Self {
            life: Life::Sealed(Box::new(rounds)),
            denied,
            under_way: Vec::new(),
            wake: Some(Duration::ZERO),
            told_last: None,
            active,
            model: Model::default(),
        }
    }

    fn unsealed(&mut self, policy: Policy, key: WatchedKey, seen: &Observation) {
        let machine = Machine::new(policy, key, seen.region.clone(), seen.asked, None);
        self.life = Life::Runs(Box::new(machine));
        self.active = seen.region.clone();
        self.denied.clear();
        let last = [(seen.region.clone(), Verdict::Accessible)].into();
        self.model = Model { last, home_denied: self.model.home_denied, ..Model::default() };
    }

    fn next(&self) -> Option<Duration> {
        if let Life::Stopped(until) = self.life {
            return Some(until);
        }
        self.under_way.iter().map(|(at, _)| *at).chain(self.wake).min()
    }

    fn note(&mut self, seen: &Observation, counts: bool) {
        let Observation { region, verdict, .. } = seen;
        let model = &mut self.model;
        if *verdict != Verdict::NoVerdict {
            model.last.insert(region.clone(), *verdict);
        }
        match verdict {
            Verdict::Accessible => {
                model.denials.remove(region);
                model.pending.remove(region);
                model.home_denied &= *region != home();
            }
            Verdict::Denied => {
                *model.denials.entry(region.clone()).or_default() += 1;
                if counts {
                    model.pending.insert(region.clone());
                }
                model.home_denied |= *region == home();
            }
            _ => {}
        }
    }

    fn check_stop(&self, stop: &Stop, confirmations: u32) {
        match stop {
            Stop::Denied { region, .. } => {
                assert!(self.model.pending.contains(region), "{region} did not count");
                assert!(self.model.denials[region] >= confirmations, "not confirmed");
            }
            Stop::Told { region, .. } => {
                assert!(self.model.told.contains(region), "nobody told");
                assert_eq!(self.model.last.get(region), Some(&Verdict::Unreachable), "it could look itself");
            }
            Stop::Silent { .. } => panic!("max_unreachable is off"),
        }
    }
}

fn one_life(seed: u64) -> u64 {
    let mut world = World::new(seed);
    let mut strokes = 0;
    world.run(secs(1));
    assert_eq!(world.running(), 3, "all begin with access");
    while world.now < secs(6 * 3600) {
        world.fate();
        strokes += 1;
        let pause = Duration::from_millis(world.random.random_range(100..180_000));
        world.run(world.now + pause);
    }
    // The key is disabled at home. Somebody sees it, and everybody hears of it: nobody goes on.
    world.out.remove(&home());
    world.peers_cut.clear();
    let seer = world.random.random_range(0..3);
    for member in 0..3 {
        let way = world.ways.remove(&(member, home()));
        if let Some(cut @ (Answer::Out | Answer::Silent)) = way.filter(|_| member != seer) {
            world.ways.insert((member, home()), cut);
        }
    }
    world.denials = true;
    world.disabled.insert(home());
    world.run(world.now + secs(300));
    assert_eq!(world.running(), 0, "a revocation at home that could be seen or be heard of");
    world.run(world.now + secs(600));
    assert_eq!(world.running(), 0, "a supervisor starts them in vain");
    // Everything is well again.
    world.disabled.clear();
    world.out.clear();
    world.ways.clear();
    world.run(world.now + secs(120));
    assert_eq!(world.running(), 3, "they serve again by themselves");
    strokes
}

#[test]
fn outages_revocations_and_chance() {
    let seeds = match std::env::var("COFFER_TEST_SEED") {
        Ok(seed) => vec![seed.parse().expect("COFFER_TEST_SEED is a number")],
        Err(_) => (0..40).map(|_| rand::random()).collect::<Vec<u64>>(),
    };
    let mut strokes = 0;
    for seed in seeds {
        println!("repeat with COFFER_TEST_SEED={seed}");
        strokes += one_life(seed);
    }
    println!("{strokes} strokes of fate");
}
