//! A member without its keys: which Region it asks for them, and when.
//!
//! Invariants:
//! - Home is asked first in every round.
//! - While a denial of home is remembered, nobody else is asked; while one of another Region is remembered, only home and it
//!   are. Access there clears it, and access at home clears all.
//! - A sealed member never gives up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Alert, AlertKind, ChangeRefused, DeniedFact, Observation, Policy, WatchedKey, help};
use crate::health::Verdict;
use crate::kms::Region;

/// What a sealed member does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this Region for the keys.
    Ask(Region),
    /// Wait until then (since the member's start), or for an event.
    Wait(Duration),
}

/// What a sealed member knows of its key, and whom it asks. Times are since the member's start.
#[derive(Clone, Debug)]
pub struct Rounds {
    policy: Policy,
    key: WatchedKey,
    chosen: Option<Region>,
    /// Denials that are remembered.
    denied: BTreeSet<Region>,
    /// Denials of home, with no access between them: how many, and the first and the last of them.
    home_denials: u32,
    home_denied_first: Duration,
    home_denied_last: Option<Observation>,
    /// The last verdict of home, of this start.
    home: Option<Verdict>,
    /// Whether the way to home was cut then.
    home_cut: bool,
    /// Denials of home that peers told of.
    told: bool,
    queue: VecDeque<Region>,
    asking: Option<Region>,
    next_round: Duration,
    pause: Duration,
    seen: BTreeMap<Region, Observation>,
}

impl Rounds {
    /// A sealed member that remembers `denied` from before its start.
    pub fn new(policy: Policy, key: WatchedKey, denied: BTreeSet<Region>, chosen: Option<Region>) -> Self {
        Self {
            policy,
            key,
            chosen,
            denied,
            home_denials: 0,
            home_denied_first: Duration::ZERO,
            home_denied_last: None,
            home: None,
            home_cut: false,
            told: false,
            queue: VecDeque::new(),
            asking: None,
            next_round: Duration::ZERO,
            pause: policy.retry_min,
            seen: BTreeMap::new(),
        }
    }

    /// What to do at `now`. A Region that is to be asked counts as asked.
    pub fn step(&mut self, now: Duration) -> Step {
        if self.asking.is_some() {
            return Step::Wait(self.next_round);
        }
        if self.queue.is_empty() && now >= self.next_round {
            self.queue.push_back(self.key.home().clone());
            self.next_round = now + self.pause;
        }
        match self.queue.pop_front() {
            Some(region) => {
                self.asking = Some(region.clone());
                Step::Ask(region)
            }
            None => Step::Wait(self.next_round),
        }
    }

    /// Takes the answer of the Region that was asked in. After [`Verdict::Accessible`] the member has its keys and this is
    /// over, save for what is to be remembered.
    pub fn answered(&mut self, now: Duration, seen: Observation) {
        let region = seen.region.clone();
        let verdict = seen.verdict;
        self.asking = None;
        if verdict != Verdict::NoVerdict || !self.seen.contains_key(&region) {
            self.seen.insert(region.clone(), seen.clone());
        }
        if region == *self.key.home() {
            self.home_answered(seen);
        } else if verdict == Verdict::Accessible {
            self.denied.remove(&region);
        }
        if self.queue.is_empty() {
            // The pause is from the end of a round, so that slow answers do not make rounds follow each other.
            self.next_round = now + self.pause;
            self.pause = (self.pause * 2).min(self.policy.retry_max);
        }
    }

    fn home_answered(&mut self, seen: Observation) {
        let (verdict, cut) = (seen.verdict, seen.cut);
        match verdict {
            Verdict::NoVerdict => return,
            Verdict::Accessible => {
                // Home decides at a start: what was denied elsewhere is a Region that stands by.
                self.denied.clear();
                self.told = false;
                self.home_denials = 0;
                self.home_denied_last = None;
            }
            Verdict::Denied => {
                if self.home_denials == 0 {
                    self.home_denied_first = seen.asked;
                }
                self.home_denials = self.home_denials.saturating_add(1);
                self.denied.insert(seen.region.clone());
                self.home_denied_last = Some(seen);
            }
            Verdict::Unreachable | Verdict::Misconfigured => {}
        }
        self.home = Some(verdict);
        self.home_cut = cut;
        self.take_told();
        if verdict == Verdict::Unreachable {
            self.queue = self.others();
        }
    }

    /// The Regions after home.
    fn others(&self) -> VecDeque<Region> {
        let home = self.key.home();
        if self.denied.contains(home) {
            return VecDeque::new();
        }
        let mut order: VecDeque<Region> = VecDeque::new();
        // A Region whose denial is remembered is asked even where nobody names it any more: nothing else clears it while home
        // is out.
        for region in self.chosen.iter().chain(&self.key.regions).chain(&self.denied) {
            let open = self.denied.is_empty() || self.denied.contains(region);
            if open && region != home && !order.contains(region) && self.key.check_region(region).is_ok() {
                order.push_back(region.clone());
            }
        }
        order
    }

    /// A peer tells of a denial.
    pub fn told(&mut self, region: &Region) {
        if region == self.key.home() {
            self.told = true;
            self.take_told();
        }
    }

    /// What a peer told counts once the own way to home is cut.
    fn take_told(&mut self) {
        if self.told && self.home_cut {
            self.denied.insert(self.key.home().clone());
            self.queue.clear();
        }
    }

    /// Other settings, an operator's choice, or a key that is trusted now: a new round begins at once.
    pub fn begin_again(&mut self, now: Duration, key: WatchedKey, chosen: Option<Region>) {
        if key.home() != self.key.home() {
            self.home = None;
            self.home_cut = false;
            self.told = false;
            self.home_denials = 0;
            self.home_denied_last = None;
        }
        self.key = key;
        self.chosen = chosen;
        self.queue.clear();
        self.next_round = now;
        self.pause = self.policy.retry_min;
    }

    /// Whether the Region may be chosen now.
    ///
    /// # Errors
    /// Why not.
    pub fn may_change(&self, to: Option<&Region>) -> Result<(), ChangeRefused> {
        if let Some(region) = self.denied.first() {
            return Err(ChangeRefused::DenialPending { region: region.clone() });
        }
        to.map_or(Ok(()), |region| self.key.check_region(region))
    }

    /// The denials that a restart must not forget.
    pub fn denied(&self) -> &BTreeSet<Region> {
        &self.denied
    }

    /// What the peers should hear: a denial that home repeated when it was heard last. One that was seen before an outage may
    /// be over, and peers that are in the same outage would stop for it. Rounds follow each other faster than a running
    /// member's probes, so what is confirmed also lasted as long.
    pub fn tell(&self) -> Option<DeniedFact> {
        let denied_now = self.home == Some(Verdict::Denied);
        let seen = self.home_denied_last.as_ref().filter(|seen| denied_now && seen.fact)?;
        let lasted = seen.asked.saturating_sub(self.home_denied_first);
        Some(DeniedFact {
            region: seen.region.clone(),
            key_state: seen.key_state.clone(),
            confirmed: self.home_denials >= self.policy.confirmations && lasted >= self.policy.confirm,
        })
    }

    /// Everything that is wrong now.
    pub fn alerts(&self) -> BTreeSet<Alert> {
        let alert = |kind, region: &Region, code: &str, help| Alert {
            kind,
            region: region.clone(),
            code: code.to_owned(),
            help,
        };
        let mut alerts = BTreeSet::new();
        for region in &self.denied {
            let seen = self.seen.get(region).filter(|seen| seen.verdict == Verdict::Denied);
            let (code, page) = seen.map_or(("", help::PENDING), |seen| (seen.code.as_str(), seen.help));
            alerts.insert(alert(AlertKind::DenialPending, region, code, page));
        }
        if let Some(chosen) = &self.chosen {
            alerts.insert(alert(AlertKind::Override, chosen, "", help::OVERRIDE));
        }
        let home = self.seen.get(self.key.home()).filter(|_| self.home != Some(Verdict::Accessible));
        let kind = home.and_then(|seen| match seen.verdict {
            Verdict::Unreachable => Some(AlertKind::KmsUnreachable),
            Verdict::Misconfigured => Some(AlertKind::KmsMisconfigured),
            Verdict::Accessible | Verdict::NoVerdict | Verdict::Denied => None,
        });
        if let Some((kind, seen)) = kind.zip(home) {
            alerts.insert(alert(kind, &seen.region, &seen.code, seen.help));
        }
        alerts
    }

    /// The key that is asked for, and where.
    pub fn key(&self) -> &WatchedKey {
        &self.key
    }

    /// The last answer of each Region.
    pub fn seen(&self) -> &BTreeMap<Region, Observation> {
        &self.seen
    }

    /// Denials of home, with no access between them.
    pub fn home_denials(&self) -> u32 {
        self.home_denials
    }

    /// What keeps the member sealed: what home said, or that it was denied before.
    pub fn cause(&self) -> Option<&Observation> {
        self.home_denied_last.as_ref().or_else(|| self.seen.get(self.key.home()))
    }

    /// When the next round begins.
    pub fn next_round(&self) -> Duration {
        self.next_round
    }
}
