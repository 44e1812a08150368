//! A member that has its keys.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::region_state::RegionState;
use super::schedule::due;
use super::{
    Alert, AlertKind, ChangeRefused, DeniedFact, Observation, Policy, RegionView, Stance, Stop, WatchedKey,
    help,
};
use crate::health::Verdict;
use crate::kms::{Region, help_codes};

/// An answer that says nothing is worth an alert when it comes this often, one after the other.
const THROTTLED_FOR_LONG: u32 = 3;

/// What happens to a running member.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A probe has ended. `jitter`: by which part the next pause is shortened, 0 to 1.
    Probed {
        /// What it found.
        seen: Observation,
        /// From a source of chance of the caller's.
        jitter: f64,
    },
    /// A peer tells of a denial of the same key.
    Told {
        /// The peer.
        by: u64,
        /// Where.
        region: Region,
        /// Whether the peer confirmed it.
        confirmed: bool,
    },
    /// Time has passed.
    Tick,
    /// Other settings, or another key that wraps.
    Watch(WatchedKey),
    /// An operator chose a Region for this member, or took that back.
    Choose(Option<Region>),
}

/// What to do after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether to serve.
    pub stance: Stance,
    /// The Region in use.
    pub active: Region,
    /// The Regions whose probes are to be started now.
    pub probe: Vec<Region>,
    /// When to come with [`Event::Tick`] if nothing happens before, since the member's start; `None`: never.
    pub wake: Option<Duration>,
    /// Everything that is wrong now.
    pub alerts: BTreeSet<Alert>,
    /// What the peers should hear.
    pub tell: Vec<DeniedFact>,
    /// The Regions whose denials a restart must not forget.
    pub denied: BTreeSet<Region>,
}

/// What a running member knows of its key, and what follows from it. Times are since the member's start.
#[derive(Clone, Debug)]
pub struct Machine {
    policy: Policy,
    key: WatchedKey,
    regions: BTreeMap<Region, RegionState>,
    active: Region,
    /// Chosen by an operator for this member.
    chosen: Option<Region>,
    /// Not yet used since it was chosen: it is gone to as soon as it gives access.
    not_yet_used: bool,
    /// For how long home had been silent when this member started; nothing once home has answered since.
    silent_before: Duration,
    stop: Option<Stop>,
}

impl Machine {
    /// A member that has got its keys in `active`, asked at `asked`: that was as good as a probe. `chosen`: the Region that an
    /// operator chose for it; it is used from its first access on.
    pub fn new(
        policy: Policy,
        key: WatchedKey,
        active: Region,
        asked: Duration,
        chosen: Option<Region>,
    ) -> Self {
        let not_yet_used = chosen.as_ref().is_some_and(|chosen| *chosen != active);
        let mut machine = Self {
            policy,
            key,
            regions: BTreeMap::new(),
            active,
            chosen,
            not_yet_used,
            silent_before: Duration::ZERO,
            stop: None,
        };
        machine.enter_regions(asked);
        let unsealed = Observation::bare(&machine.active, Verdict::Accessible, asked);
        let active = machine.active.clone();
        machine.state(&active, asked).observe(asked, unsealed, true, 0.0);
        machine
    }

    /// The same, where home had been silent for `silent` before it was asked for the first time: a restart does not set that
    /// back.
    #[must_use]
    pub fn with_home_silent(mut self, silent: Duration) -> Self {
        if self.home_is_cut().is_none() {
            self.silent_before = silent;
        }
        self
    }

    /// Whether the way to home is cut; `None`: it has not said anything yet.
    pub fn home_is_cut(&self) -> Option<bool> {
        let home = self.regions.get(self.key.home())?;
        home.definite.as_ref().map(|_| home.cut())
    }

    /// Takes an event in at `now` and decides. The probes that it names count as started.
    pub fn on(&mut self, now: Duration, event: Event) -> Decision {
        if self.stop.is_none() {
            self.take(now, event);
            self.stop = self.find_stop(now);
        }
        if self.stop.is_none() {
            self.move_on();
        }
        self.decide(now)
    }

    /// Every Region that is asked, home first.
    pub fn regions(&self) -> Vec<(Region, RegionView)> {
        let mut views: Vec<_> = self
            .regions
            .iter()
            .map(|(region, state)| {
                (region.clone(), state.view(region == self.key.home(), *region == self.active))
            })
            .collect();
        let place = |region: &Region| self.key.regions.iter().position(|known| known == region);
        views.sort_by_key(|(region, _)| place(region).unwrap_or(usize::MAX));
        views
    }

    /// When the active Region is asked next.
    pub fn next_probe(&self) -> Option<Duration> {
        due(&self.policy, self.regions.get(&self.active)?, true)
    }

    /// When the member stops because home is silent, if home stays silent.
    pub fn silent_stop(&self) -> Option<Duration> {
        let home = self.regions.get(self.key.home())?;
        let silent = home.cut() && home.no_verdicts == 0;
        let limit = self.policy.max_unreachable.filter(|_| silent)?;
        Some((home.answered + limit).saturating_sub(self.silent_before))
    }

    /// Whether the Region, the key or the role may be changed now; `to`: the Region that is wanted.
    ///
    /// # Errors
    /// Why not.
    pub fn may_change(&self, to: Option<&Region>) -> Result<(), ChangeRefused> {
        if let Some(region) = self.pending().next() {
            return Err(ChangeRefused::DenialPending { region: region.clone() });
        }
        to.map_or(Ok(()), |region| self.key.check_region(region))
    }

    fn take(&mut self, now: Duration, event: Event) {
        match event {
            Event::Probed { seen, jitter } => {
                let region = seen.region.clone();
                let counts = self.counts(&region);
                if region == *self.key.home() && !seen.cut && seen.verdict != Verdict::NoVerdict {
                    self.silent_before = Duration::ZERO;
                }
                if let Some(state) = self.regions.get_mut(&region) {
                    state.observe(now, seen, counts, jitter);
                }
            }
            Event::Told { by, region, confirmed } => {
                if self.counts(&region)
                    && let Some(state) = self.regions.get_mut(&region)
                {
                    state.hear(now, by, confirmed);
                }
            }
            Event::Tick => {}
            Event::Watch(key) => self.watch(now, key),
            Event::Choose(region) => self.choose(now, region),
        }
        self.leave_regions();
    }

    fn watch(&mut self, now: Duration, key: WatchedKey) {
        let counted: Vec<_> = [self.key.home().clone(), self.active.clone()].into();
        let same_key = key.cmk.is_same_key(&self.key.cmk);
        let new_home = key.home() != self.key.home();
        let newer = key.settings_version > self.key.settings_version;
        self.key = key;
        if newer {
            self.chosen = None;
            self.not_yet_used = false;
        }
        if !same_key {
            // What was known is of another key, which nothing here depends on any more.
            for state in self.regions.values_mut() {
                *state = state.of_another_key(now);
            }
        }
        if new_home || !same_key {
            self.silent_before = Duration::ZERO;
        }
        if new_home || !same_key || !self.key.regions.contains(&self.active) {
            // Every member has just tried it: that is how it came to be in the settings.
            self.active = self.chosen.clone().unwrap_or_else(|| self.key.home().clone());
        }
        self.enter_regions(now);
        for region in [self.key.home().clone(), self.active.clone()] {
            if !counted.contains(&region) {
                self.begins_to_count(now, &region);
            }
        }
    }

    fn choose(&mut self, now: Duration, region: Option<Region>) {
        self.chosen = region;
        self.not_yet_used = false;
        let before = self.active.clone();
        if self.pending().next().is_none() {
            self.active = self.wanted().clone();
        }
        self.enter_regions(now);
        let active = self.active.clone();
        // One that counted before keeps its denials.
        if active != before && active != *self.key.home() {
            self.begins_to_count(now, &active);
        }
    }

    /// What was denied while nobody depended on it is counted from the beginning.
    fn begins_to_count(&mut self, now: Duration, region: &Region) {
        let state = self.state(region, now);
        state.denied = 0;
        state.urgent = true;
    }

    fn enter_regions(&mut self, now: Duration) {
        let mut wanted = self.key.regions.clone();
        wanted.push(self.key.home().clone());
        wanted.push(self.active.clone());
        wanted.extend(self.chosen.clone());
        for region in wanted {
            self.state(&region, now);
        }
    }

    /// Forgets the Regions that nobody names any more, save those whose denial is pending; a probe that is under way is waited
    /// for, or there could be two.
    fn leave_regions(&mut self) {
        let mut named = self.key.regions.clone();
        named.extend([self.key.home().clone(), self.active.clone()]);
        named.extend(self.chosen.clone());
        self.regions.retain(|region, state| named.contains(region) || state.pending || state.in_flight);
    }

    fn state(&mut self, region: &Region, now: Duration) -> &mut RegionState {
        self.regions.entry(region.clone()).or_insert_with(|| RegionState::new(now))
    }

    /// Whether the member depends on a Region.
    fn counts(&self, region: &Region) -> bool {
        region == self.key.home()
            || *region == self.active
            || self.regions.get(region).is_some_and(|state| state.pending)
    }

    /// The Region that should be in use.
    fn wanted(&self) -> &Region {
        self.chosen.as_ref().unwrap_or_else(|| self.key.home())
    }

    fn pending(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().filter(|(_, state)| state.pending).map(|(region, _)| region)
    }

    fn find_stop(&mut self, now: Duration) -> Option<Stop> {
        for (region, state) in self.regions.iter().filter(|(_, state)| state.pending) {
            if state.denied >= self.policy.confirmations {
                let code = state.definite.as_ref().map(|seen| seen.code.clone()).unwrap_or_default();
                return Some(Stop::Denied { region: region.clone(), code });
            }
            if let Some(by) = state.confirmed_by_told() {
                return Some(Stop::Told { region: region.clone(), by });
            }
        }
        let limit = self.policy.max_unreachable?;
        let over = self.silent_stop().is_some_and(|at| at <= now);
        over.then(|| {
            let region = self.key.home().clone();
            // As a denial it outlives a restart.
            self.state(&region, now).pending = true;
            Stop::Silent { region, limit }
        })
    }

    /// Changes the active Region where it has to be and may be changed.
    fn move_on(&mut self) {
        if self.pending().next().is_some() {
            return;
        }
        if let Some(region) = self.failback().or_else(|| self.failover()) {
            self.active = region;
            self.not_yet_used &= self.active != *self.wanted();
        }
    }

    fn failback(&self) -> Option<Region> {
        let wanted = self.wanted();
        let state = self.regions.get(wanted).filter(|_| *wanted != self.active)?;
        let last = state.last.as_ref().filter(|seen| seen.verdict == Verdict::Accessible)?;
        let lasts = last.asked.saturating_sub(state.accessible_since?);
        (self.not_yet_used || lasts >= self.policy.failback_after).then(|| wanted.clone())
    }

    /// The first Region in order that gives access now, once all before it were heard since the active one was lost.
    fn failover(&self) -> Option<Region> {
        self.lost()?;
        let since = self.regions.get(&self.active)?.lost_since?;
        for region in self.candidates() {
            let state = self.regions.get(&region)?;
            if !state.heard(since) {
                return None;
            }
            if state.gave_access(since) {
                return Some(region);
            }
        }
        None
    }

    /// Whether the active Region is to be left: when the last probe was started that did not reach it.
    fn lost(&self) -> Option<Duration> {
        let seen = self.regions.get(&self.active)?.definite.as_ref()?;
        let moves = self.key.cmk.is_multi_region() && self.pending().next().is_none();
        (moves && seen.verdict == Verdict::Unreachable).then_some(seen.asked)
    }

    /// Where to go from the active Region: to the wanted one first, then to those after the active one in the order of the
    /// settings.
    fn candidates(&self) -> Vec<Region> {
        let all = &self.key.regions;
        let at = all.iter().position(|region| *region == self.active).map_or(0, |at| at + 1);
        let mut order = vec![self.wanted().clone()];
        for region in all.iter().cycle().skip(at).take(all.len()) {
            if !order.contains(region) {
                order.push(region.clone());
            }
        }
        order.retain(|region| *region != self.active);
        order
    }

    fn decide(&mut self, now: Duration) -> Decision {
        let alerts = self.alerts();
        let stance = match &self.stop {
            Some(stop) => Stance::ShutDown(stop.clone()),
            None if alerts.iter().any(|alert| alert.kind.degrades()) => Stance::Degraded,
            None => Stance::Serve,
        };
        let (probe, wake) = if self.stop.is_some() { (Vec::new(), None) } else { self.plan(now) };
        Decision {
            stance,
            active: self.active.clone(),
            probe,
            wake,
            alerts,
            tell: self.regions.values().filter_map(|state| state.fact(self.policy.confirmations)).collect(),
            denied: self.pending().cloned().collect(),
        }
    }

    /// What to ask now, and when to look again.
    fn plan(&mut self, now: Duration) -> (Vec<Region>, Option<Duration>) {
        if let Some(since) = self.lost() {
            for region in self.candidates() {
                let state = self.state(&region, now);
                state.urgent |= state.asked.is_none_or(|asked| asked < since);
            }
        }
        let mut probe = Vec::new();
        let mut wake = self.silent_stop();
        let names: Vec<_> = self.regions.keys().cloned().collect();
        for region in names {
            let counts = self.counts(&region) || *self.wanted() == region;
            let policy = self.policy;
            let state = self.state(&region, now);
            let Some(at) = due(&policy, state, counts) else { continue };
            if at <= now {
                state.start(now);
                probe.push(region);
            } else {
                wake = Some(wake.map_or(at, |wake| wake.min(at)));
            }
        }
        (probe, wake)
    }

    fn alerts(&self) -> BTreeSet<Alert> {
        let mut alerts = BTreeSet::new();
        let mut add = |kind, region: &Region, code: &str, help| {
            alerts.insert(Alert { kind, region: region.clone(), code: code.to_owned(), help });
        };
        if let Some(stop) = &self.stop {
            let code = match stop {
                Stop::Denied { code, .. } => code,
                Stop::Told { .. } | Stop::Silent { .. } => "",
            };
            add(AlertKind::Revoked, stop.region(), code, help::stop_help(stop));
        }
        if self.active != *self.key.home() && self.chosen.as_ref() != Some(&self.active) {
            let home = self.regions.get(self.key.home()).and_then(|state| state.definite.as_ref());
            let (code, page) = home.map_or(("", ""), |seen| (seen.code.as_str(), seen.help));
            let page = if page.is_empty() { help_codes::UNREACHABLE } else { page };
            add(AlertKind::FailedOver, &self.active, code, page);
        }
        if let Some(chosen) = &self.chosen {
            add(AlertKind::Override, chosen, "", help::OVERRIDE);
        }
        for (region, state) in &self.regions {
            let counts = self.counts(region);
            if let Some(seen) = state.last.as_ref().filter(|_| state.no_verdicts > 0) {
                if seen.help == help_codes::CLOCK {
                    add(AlertKind::Clock, region, &seen.code, seen.help);
                } else if counts && state.no_verdicts >= THROTTLED_FOR_LONG {
                    add(AlertKind::KmsThrottled, region, &seen.code, help_codes::THROTTLED);
                }
            }
            if state.pending && self.stop.is_none() {
                let code = state.definite.as_ref().map_or("", |seen| seen.code.as_str());
                let page = if state.denied == 0 { help::TOLD } else { help::PENDING };
                add(AlertKind::DenialPending, region, code, page);
            }
            let Some(seen) = &state.definite else { continue };
            match seen.verdict {
                Verdict::Accessible if seen.describe_denied => {
                    add(
                        AlertKind::DescribeDenied,
                        region,
                        "AccessDeniedException",
                        help_codes::ACCESS_DENIED,
                    );
                }
                Verdict::Unreachable if *region == self.active => {
                    add(AlertKind::KmsUnreachable, region, &seen.code, seen.help);
                }
                Verdict::Misconfigured if counts => {
                    add(AlertKind::KmsMisconfigured, region, &seen.code, seen.help);
                }
                Verdict::Denied | Verdict::Misconfigured if !counts => {
                    let missing = seen.code == "NotFoundException";
                    let page = if missing { help_codes::NO_REPLICA } else { seen.help };
                    add(AlertKind::ReplicaUnusable, region, &seen.code, page);
                }
                _ => {}
            }
        }
        alerts
    }
}
