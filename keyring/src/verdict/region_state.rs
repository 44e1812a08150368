//! What is known of the key in one Region.
//!
//! Invariants:
//! - [`Verdict::NoVerdict`] changes nothing but when to ask again.
//! - A denial that counted stays pending until [`Verdict::Accessible`].

use std::time::Duration;

use super::{DeniedFact, Observation};
use crate::health::Verdict;
use crate::kms::KeyState;

/// A denial that a peer told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) by: u64,
    pub(super) at: Duration,
    pub(super) confirmed: bool,
}

/// What is known of the key in one Region.
#[derive(Clone, Debug, Default)]
pub(super) struct RegionState {
    /// The last observation of any kind.
    pub(super) last: Option<Observation>,
    /// The last one that said something of the key or the way to it.
    pub(super) definite: Option<Observation>,
    /// Since when the definite verdict is this one.
    pub(super) since: Duration,
    /// The last moment at which the service there said something definite.
    pub(super) answered: Duration,
    /// When the first of the probes was started that did not reach it, without another answer since.
    pub(super) lost_since: Option<Duration>,
    /// Since when it gives access without a break.
    pub(super) accessible_since: Option<Duration>,
    /// Denials with no access between them.
    pub(super) denied: u32,
    /// Whether a denial counted and was not cleared.
    pub(super) pending: bool,
    pub(super) told: Option<Told>,
    /// Answers one after the other that said nothing.
    pub(super) no_verdicts: u32,
    /// When it was asked last, answered or not.
    pub(super) asked: Option<Duration>,
    pub(super) in_flight: bool,
    /// What is under way was asked of another key.
    pub(super) stale: bool,
    /// Ask at once.
    pub(super) urgent: bool,
    /// By which part of it a pause is shortened.
    pub(super) jitter: f64,
}

impl RegionState {
    /// A Region of which nothing is known at `now`.
    pub(super) fn new(now: Duration) -> Self {
        Self { since: now, answered: now, ..Self::default() }
    }

    /// The same Region for another key: nothing is known of that. A probe that is under way says nothing of it.
    pub(super) fn of_another_key(&self, now: Duration) -> Self {
        Self { in_flight: self.in_flight, stale: self.in_flight, urgent: true, ..Self::new(now) }
    }

    /// The last verdict that said something.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.definite.as_ref().map(|seen| seen.verdict)
    }

    /// Whether the way there was cut when it was tried last.
    pub(super) fn cut(&self) -> bool {
        self.definite.as_ref().is_some_and(|seen| seen.cut)
    }

    /// Whether it gave access when it was asked last, at `since` or later.
    pub(super) fn gave_access(&self, since: Duration) -> bool {
        self.last.as_ref().is_some_and(|seen| seen.verdict == Verdict::Accessible && seen.asked >= since)
    }

    /// Whether it was asked at `since` or later and has answered. It may be asked again already: short intervals and slow
    /// answers would else keep a member waiting for ever.
    pub(super) fn heard(&self, since: Duration) -> bool {
        self.last.as_ref().is_some_and(|seen| seen.asked >= since)
    }

    /// A probe is started.
    pub(super) fn start(&mut self, now: Duration) {
        self.in_flight = true;
        self.urgent = false;
        self.asked = Some(now);
    }

    /// Takes an observation in. `counts`: the member depends on this Region.
    pub(super) fn observe(&mut self, now: Duration, seen: Observation, counts: bool, jitter: f64) {
        self.in_flight = false;
        if std::mem::take(&mut self.stale) {
            return;
        }
        self.jitter = jitter;
        self.asked = self.asked.max(Some(seen.asked));
        if seen.verdict == Verdict::NoVerdict {
            self.no_verdicts = self.no_verdicts.saturating_add(1);
            self.last = Some(seen);
            return;
        }
        self.no_verdicts = 0;
        if !seen.cut {
            self.answered = now;
        }
        if self.verdict() != Some(seen.verdict) {
            self.since = now;
        }
        self.lost_since = match seen.verdict {
            Verdict::Unreachable => self.lost_since.or(Some(seen.asked)),
            _ => None,
        };
        match seen.verdict {
            Verdict::Accessible => {
                self.accessible_since.get_or_insert(seen.asked);
                self.denied = 0;
                self.pending = false;
                // What was asked before the peer spoke does not answer it.
                self.told = self.told.take().filter(|told| told.at > seen.asked);
                self.urgent |= self.told.is_some();
            }
            Verdict::Denied => {
                self.denied = self.denied.saturating_add(1);
                self.pending |= counts;
            }
            Verdict::Unreachable | Verdict::Misconfigured | Verdict::NoVerdict => {}
        }
        if seen.verdict != Verdict::Accessible {
            self.accessible_since = None;
        }
        self.last = Some(seen.clone());
        self.definite = Some(seen);
        self.take_told();
    }

    /// A peer tells of a denial. One that the member itself can look at is only a reason to look at once.
    pub(super) fn hear(&mut self, now: Duration, by: u64, confirmed: bool) {
        let confirmed = confirmed || self.told.as_ref().is_some_and(|told| told.confirmed);
        self.told = Some(Told { by, at: now, confirmed });
        self.urgent |= self.denied == 0;
        self.take_told();
    }

    /// What a peer told counts once the own way to the Region is cut.
    fn take_told(&mut self) {
        if self.told.is_some() && self.cut() {
            self.pending = true;
        }
    }

    /// A peer confirmed a denial, and the own way there is cut.
    pub(super) fn confirmed_by_told(&self) -> Option<u64> {
        let told = self.told.as_ref().filter(|told| told.confirmed)?;
        self.cut().then_some(told.by)
    }

    /// What to tell the peers.
    pub(super) fn fact(&self, confirmations: u32) -> Option<DeniedFact> {
        let seen = self.definite.as_ref().filter(|seen| seen.verdict == Verdict::Denied && seen.fact)?;
        Some(DeniedFact {
            region: seen.region.clone(),
            key_state: seen.key_state.clone(),
            confirmed: self.denied >= confirmations,
        })
    }

    pub(super) fn view(&self, home: bool, active: bool) -> RegionView {
        RegionView {
            verdict: self.last.as_ref().map(|seen| seen.verdict),
            since: self.since,
            key_state: self.definite.as_ref().and_then(|seen| seen.key_state.clone()),
            code: self.last.as_ref().map(|seen| seen.code.clone()).unwrap_or_default(),
            help: self.last.as_ref().map_or("", |seen| seen.help),
            asked: self.asked,
            denied_in_a_row: self.denied,
            pending: self.pending,
            home,
            active,
        }
    }
}

/// What is shown of a Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionView {
    /// The last verdict; `None` before the first.
    pub verdict: Option<Verdict>,
    /// Since when the last verdict that said something is that one, since the member's start.
    pub since: Duration,
    /// The key's state there, where it was read.
    pub key_state: Option<KeyState>,
    /// The service's code of the last failure; empty after a success.
    pub code: String,
    /// Code of the page that explains it; empty after a success.
    pub help: &'static str,
    /// When it was asked last, since the member's start.
    pub asked: Option<Duration>,
    /// Denials with no access between them.
    pub denied_in_a_row: u32,
    /// Whether a denial there awaits its confirmation.
    pub pending: bool,
    /// Whether it is the home Region.
    pub home: bool,
    /// Whether it is the one in use.
    pub active: bool,
}
