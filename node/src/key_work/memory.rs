//! What a leader remembers of the members while it leads: when it heard of them, and who refused.
//!
//! Invariant: nothing here is needed to go on. A new leader begins with nothing, waits a little longer for who was told
//! last, and asks who refused once more.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a member is left alone after its first refusal, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// From how many refusals on a person should look: by then it was tried for some fifteen seconds.
const FAILING: u32 = 4;

/// What a leader remembers of the members while it leads.
#[derive(Debug, Default)]
pub(super) struct Memory {
    term: u64,
    since: Option<Instant>,
    heard: BTreeMap<u64, Instant>,
    refusals: BTreeMap<u64, Refusal>,
}

#[derive(Debug)]
struct Refusal {
    until: Instant,
    pause: Duration,
    times: u32,
    text: String,
}

impl Memory {
    /// This member leads in `term`. What was remembered under another one is forgotten.
    pub(super) fn lead(&mut self, term: u64, now: Instant) {
        if self.term != term || self.since.is_none() {
            *self = Self { term, since: Some(now), ..Self::default() };
        }
    }

    /// A member answered.
    pub(super) fn heard(&mut self, member: u64, now: Instant) {
        self.heard.insert(member, now);
    }

    /// How long a member has been silent: since it answered, or since this member leads.
    pub(super) fn silent(&self, member: u64, now: Instant) -> Duration {
        let since = self.heard.get(&member).copied().max(self.since);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// A member refused what it was told to do.
    pub(super) fn refused(&mut self, member: u64, text: String, now: Instant) {
        let (pause, times) = match self.refusals.get(&member) {
            None => (FIRST_PAUSE, 1),
            Some(last) => ((last.pause * 2).min(LONGEST_PAUSE), last.times.saturating_add(1)),
        };
        self.refusals.insert(member, Refusal { until: now + pause, pause, times, text });
    }

    /// A member did what it was told.
    pub(super) fn accepted(&mut self, member: u64) {
        self.refusals.remove(&member);
    }

    /// Why a member is left alone for now.
    pub(super) fn refusal(&self, member: u64, now: Instant) -> Option<String> {
        self.refusals.get(&member).filter(|refusal| refusal.until > now).map(|refusal| refusal.text.clone())
    }

    /// The members that refused again and again, and why.
    pub(super) fn failing(&self) -> Vec<(u64, String)> {
        let failing = self.refusals.iter().filter(|(_, refusal)| refusal.times >= FAILING);
        failing.map(|(id, refusal)| (*id, refusal.text.clone())).collect()
    }

    /// Forgets members that are gone.
    pub(super) fn keep(&mut self, is_member: impl Fn(u64) -> bool) {
        self.heard.retain(|id, _| is_member(*id));
        self.refusals.retain(|id, _| is_member(*id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_last_answer_and_not_from_before_this_leader() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut memory = Memory::default();
        memory.lead(3, at(10));
        assert_eq!(memory.silent(2, at(25)), Duration::from_secs(15));
        memory.heard(2, at(20));
        memory.lead(3, at(21));
        assert_eq!(memory.silent(2, at(25)), Duration::from_secs(5));
        memory.lead(4, at(30));
        assert_eq!(memory.silent(2, at(31)), Duration::from_secs(1));
    }

    #[test]
    fn a_member_that_refuses_is_left_alone_for_longer_each_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut memory = Memory::default();
        memory.lead(1, start);
        memory.refused(2, "no".to_owned(), start);
        assert_eq!(memory.refusal(2, at(1)).as_deref(), Some("no"));
        assert_eq!(memory.refusal(2, at(2)), None);
        memory.refused(2, "still no".to_owned(), at(2));
        assert_eq!(memory.refusal(2, at(5)).as_deref(), Some("still no"));
        assert!(memory.failing().is_empty());
        for _ in 0..10 {
            memory.refused(2, "no".to_owned(), at(10));
        }
        assert_eq!((memory.refusal(2, at(69)).is_some(), memory.refusal(2, at(70))), (true, None));
        assert_eq!(memory.failing(), [(2, "no".to_owned())]);
        memory.accepted(2);
        assert!(memory.failing().is_empty());
        memory.refused(2, "no".to_owned(), at(100));
        assert_eq!(memory.refusal(2, at(102)), None, "it begins again");
        memory.keep(|id| id != 2);
        assert!(memory.refusals.is_empty());
    }
}
