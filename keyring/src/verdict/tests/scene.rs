//! One member in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::health::Verdict;
use crate::kms::{KeyArn, KeyState, Region};
use crate::verdict::{AlertKind, Decision, Event, Machine, Observation, Policy, Stance, Stop, WatchedKey};

pub(super) const MULTI: &str =
    "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
pub(super) const SINGLE: &str =
    "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

pub(super) fn home() -> Region {
    Region::parse("eu-central-1").unwrap()
}

pub(super) fn away() -> Region {
    Region::parse("eu-west-1").unwrap()
}

pub(super) fn far() -> Region {
    Region::parse("us-east-1").unwrap()
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(super) fn key(arn: &str, regions: &[Region]) -> WatchedKey {
    WatchedKey { cmk: KeyArn::parse(arn).unwrap(), regions: regions.to_vec(), settings_version: 1 }
}

/// How a Region answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Works,
    /// Refused at once.
    Out,
    /// No answer at all: the probe runs into its limit.
    Silent,
    Disabled,
    NoAccess,
    Missing,
    Throttled,
    Wrong,
    /// The way leads to a public address, and is not taken.
    Public,
}

impl Answer {
    pub(super) fn observe(self, region: &Region, asked: Duration) -> Observation {
        let (verdict, code) = match self {
            Self::Works => (Verdict::Accessible, ""),
            Self::Out => (Verdict::Unreachable, "DispatchFailure"),
            Self::Silent => (Verdict::Unreachable, "TimeoutError"),
            Self::Disabled => (Verdict::Denied, "DisabledException"),
            Self::NoAccess => (Verdict::Denied, "AccessDeniedException"),
            Self::Missing => (Verdict::Denied, "NotFoundException"),
            Self::Throttled => (Verdict::NoVerdict, "ThrottlingException"),
            Self::Wrong => (Verdict::Misconfigured, "InvalidCiphertextException"),
            Self::Public => (Verdict::Misconfigured, "PublicEndpoint"),
        };
        Observation {
            cut: matches!(self, Self::Out | Self::Silent | Self::Public),
            fact: self == Self::Disabled,
            code: code.to_owned(),
            key_state: (self == Self::Disabled).then_some(KeyState::Disabled),
            ..Observation::bare(region, verdict, asked)
        }
    }

    pub(super) fn takes(self) -> Duration {
        match self {
            Self::Silent => secs(5),
            _ => Duration::from_millis(50),
        }
    }
}

/// A running member, and the Regions as it sees them.
pub(super) struct Scene {
    pub(super) machine: Machine,
    pub(super) now: Duration,
    pub(super) answers: BTreeMap<Region, Answer>,
    pub(super) last: Decision,
    /// Probes under way: when they end, and what they will have found.
    under_way: Vec<(Duration, Observation)>,
    /// How often each Region was asked.
    pub(super) asked: BTreeMap<Region, u32>,
}

impl Scene {
    pub(super) fn new(policy: Policy, key: WatchedKey) -> Self {
        let active = key.home().clone();
        Self::unsealed_in(policy, key, &active)
    }

    pub(super) fn unsealed_in(policy: Policy, key: WatchedKey, active: &Region) -> Self {
        let answers = key.regions.iter().map(|region| (region.clone(), Answer::Works)).collect();
        let mut machine = Machine::new(policy, key, active.clone(), Duration::ZERO, None);
        let last = machine.on(Duration::ZERO, Event::Tick);
        let mut scene = Self {
            machine,
            now: Duration::ZERO,
            answers,
            last: last.clone(),
            under_way: Vec::new(),
            asked: BTreeMap::new(),
        };
        scene.act(last);
        scene
    }

    /// A member with a multi-Region key in three Regions.
    pub(super) fn three() -> Self {
        Self::new(Policy::default(), key(MULTI, &[home(), away(), far()]))
    }

    pub(super) fn set(&mut self, region: &Region, answer: Answer) {
        self.answers.insert(region.clone(), answer);
    }

    pub(super) fn event(&mut self, event: Event) {
        let decision = self.machine.on(self.now, event);
        self.act(decision);
    }

    fn act(&mut self, decision: Decision) {
        let changed = decision.active != self.last.active;
        let settings = decision.denied.is_empty() || self.last.denied.is_empty();
        assert!(!changed || settings, "the Region changed under a pending denial: {decision:?}");
        for region in &decision.probe {
            let busy = self.under_way.iter().any(|(_, seen)| seen.region == *region);
            assert!(!busy, "two probes of {region}");
            let answer = self.answers.get(region).copied().unwrap_or(Answer::Missing);
            self.under_way.push((self.now + answer.takes(), answer.observe(region, self.now)));
            *self.asked.entry(region.clone()).or_default() += 1;
        }
        if let Stance::ShutDown(stop) = &self.last.stance {
            assert_eq!(decision.stance, Stance::ShutDown(stop.clone()), "a stop is final");
        }
        self.last = decision;
    }

    /// Goes on to the next moment at which something happens, at most `until`. False: nothing happens any more.
    fn step(&mut self, until: Duration) -> bool {
        let ends = self.under_way.iter().map(|(at, _)| *at).min();
        let next = [ends, self.last.wake].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(next);
        match self.under_way.iter().position(|(at, _)| *at <= self.now) {
            Some(at) => {
                let (_, seen) = self.under_way.remove(at);
                self.event(Event::Probed { seen, jitter: 0.0 });
            }
            None => self.event(Event::Tick),
        }
        true
    }

    /// Runs for `time`.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Runs until `condition`, at most for `time`; how long it took.
    pub(super) fn run_until(&mut self, time: Duration, condition: impl Fn(&Self) -> bool) -> Duration {
        let (start, until) = (self.now, self.now + time);
        while !condition(self) {
            assert!(self.step(until) || condition(self), "not within {time:?}: {:?}", self.last);
        }
        self.now - start
    }

    pub(super) fn stop(&self) -> Option<&Stop> {
        match &self.last.stance {
            Stance::ShutDown(stop) => Some(stop),
            _ => None,
        }
    }

    pub(super) fn serves(&self) -> bool {
        self.stop().is_none()
    }

    pub(super) fn alert(&self, kind: AlertKind) -> Option<&Region> {
        self.last.alerts.iter().find(|alert| alert.kind == kind).map(|alert| &alert.region)
    }

    pub(super) fn asked(&self, region: &Region) -> u32 {
        self.asked.get(region).copied().unwrap_or(0)
    }
}
