//! Every rule of a sealed member, by name.

use std::collections::BTreeSet;
use std::time::Duration;

use super::scene::{Answer, MULTI, SINGLE, away, far, home, key, secs};
use crate::kms::Region;
use crate::verdict::{Policy, Rounds, Step};

struct Sealed {
    rounds: Rounds,
    now: Duration,
}

impl Sealed {
    fn new(denied: &[Region]) -> Self {
        Self::with(denied, None)
    }

    fn with(denied: &[Region], chosen: Option<Region>) -> Self {
        let keys = key(MULTI, &[home(), away(), far()]);
        let denied = denied.iter().cloned().collect();
        Self { rounds: Rounds::new(Policy::default(), keys, denied, chosen), now: Duration::ZERO }
    }

    /// One round in which the Regions answer so: who was asked. A Region that gives access ends it.
    fn round(&mut self, answer: impl Fn(&Region) -> Answer) -> Vec<Region> {
        let mut asked = Vec::new();
        loop {
            match self.rounds.step(self.now) {
                Step::Ask(region) => {
                    let answer = answer(&region);
                    let started = self.now;
                    self.now += answer.takes();
                    self.rounds.answered(self.now, answer.observe(&region, started));
                    asked.push(region);
                    if answer == Answer::Works {
                        return asked;
                    }
                }
                Step::Wait(until) if asked.is_empty() => self.now = self.now.max(until),
                Step::Wait(_) => return asked,
            }
        }
    }
}

fn out_at_home(region: &Region) -> Answer {
    if *region == home() { Answer::Out } else { Answer::Works }
}

#[test]
fn home_is_asked_first_and_the_others_in_an_outage() {
    let mut sealed = Sealed::new(&[]);
    assert_eq!(sealed.round(|_| Answer::Works), [home()]);
    let mut sealed = Sealed::new(&[]);
    assert_eq!(sealed.round(|_| Answer::Silent), [home(), away(), far()]);
    assert_eq!(sealed.round(out_at_home), [home(), away()]);
}

#[test]
fn a_home_that_denies_ends_the_round_and_stands_through_an_outage() {
    let mut sealed = Sealed::new(&[]);
    assert_eq!(sealed.round(|_| Answer::Disabled), [home()]);
    assert_eq!(sealed.rounds.denied().iter().collect::<Vec<_>>(), [&home()]);
    for _ in 0..100 {
        assert_eq!(sealed.round(out_at_home), [home()], "nobody else is asked");
    }
    assert_eq!(sealed.rounds.may_change(Some(&away())).unwrap_err().help(), "CK0034");
    assert_eq!(sealed.round(|_| Answer::Works), [home()]);
    assert!(sealed.rounds.denied().is_empty());
}

#[test]
fn a_denial_from_before_the_start_stands_too() {
    let mut sealed = Sealed::new(&[home()]);
    for _ in 0..10 {
        assert_eq!(sealed.round(out_at_home), [home()]);
    }
}

#[test]
fn a_replica_that_had_denied_while_it_was_in_use_is_not_gone_round() {
    let mut sealed = Sealed::new(&[away()]);
    let answers = |region: &Region| match region {
        region if *region == home() => Answer::Out,
        region if *region == away() => Answer::Disabled,
        _ => Answer::Works,
    };
    assert_eq!(sealed.round(answers), [home(), away()], "the third is not asked");
    assert_eq!(sealed.round(out_at_home), [home(), away()], "access there clears it");
    assert!(sealed.rounds.denied().is_empty());
    // And home decides at a start.
    let mut sealed = Sealed::new(&[away()]);
    assert_eq!(sealed.round(|_| Answer::Works), [home()]);
    assert!(sealed.rounds.denied().is_empty());
}

#[test]
fn a_candidate_that_denies_is_skipped() {
    let mut sealed = Sealed::new(&[]);
    let asked = sealed.round(|region| match region {
        region if *region == home() => Answer::Out,
        region if *region == away() => Answer::Disabled,
        _ => Answer::Works,
    });
    assert_eq!(asked, [home(), away(), far()]);
}

#[test]
fn throttled_or_misconfigured_at_home_nobody_else_is_asked() {
    for answer in [Answer::Throttled, Answer::Wrong] {
        let mut sealed = Sealed::new(&[]);
        assert_eq!(sealed.round(|_| answer), [home()]);
        assert!(sealed.rounds.denied().is_empty());
    }
}

#[test]
fn pauses_grow_to_their_limit() {
    let mut sealed = Sealed::new(&[]);
    let mut ends = Vec::new();
    for _ in 0..8 {
        sealed.round(|_| Answer::Out);
        ends.push(sealed.rounds.next_round() - sealed.now);
    }
    let seconds: Vec<_> = ends.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn a_single_region_key_is_asked_at_home_alone() {
    let keys = key(SINGLE, &[home()]);
    let mut rounds = Rounds::new(Policy::default(), keys, BTreeSet::new(), None);
    assert_eq!(rounds.step(secs(0)), Step::Ask(home()));
    rounds.answered(secs(1), Answer::Out.observe(&home(), secs(0)));
    assert!(matches!(rounds.step(secs(1)), Step::Wait(_)));
    assert_eq!(rounds.may_change(Some(&away())).unwrap_err().help(), "CK0022");
}

#[test]
fn what_a_peer_tells_of_home_counts_while_home_is_out_of_reach() {
    let mut sealed = Sealed::new(&[]);
    sealed.rounds.told(&home());
    assert_eq!(sealed.round(out_at_home), [home()], "told before it asked");
    assert!(sealed.rounds.denied().contains(&home()));
    let mut sealed = Sealed::new(&[]);
    sealed.round(|_| Answer::Out);
    sealed.rounds.told(&away());
    assert!(sealed.rounds.denied().is_empty(), "another Region says nothing of home");
    sealed.rounds.told(&home());
    assert_eq!(sealed.round(out_at_home), [home()]);
    assert_eq!(sealed.round(|_| Answer::Works), [home()]);
    assert!(sealed.rounds.denied().is_empty());
}

#[test]
fn an_operators_choice_is_asked_after_home_and_at_once() {
    let mut sealed = Sealed::with(&[], Some(far()));
    assert_eq!(sealed.round(|_| Answer::Out), [home(), far(), away()]);
    for _ in 0..8 {
        sealed.round(|_| Answer::Out);
    }
    let keys = sealed.rounds.key().clone();
    sealed.rounds.begin_again(sealed.now, keys, Some(away()));
    let begun = sealed.now;
    assert_eq!(sealed.round(out_at_home), [home(), away()]);
    assert!(sealed.now - begun < secs(1));
    let mut sealed = Sealed::with(&[], Some(far()));
    assert_eq!(sealed.round(|_| Answer::Disabled), [home()], "it does not go round a denial of home");
}

#[test]
fn a_sealed_member_tells_of_a_disabled_key_once_that_has_lasted() {
    let mut sealed = Sealed::new(&[]);
    sealed.round(|_| Answer::NoAccess);
    assert_eq!(sealed.rounds.tell(), None, "its own trouble");
    let mut sealed = Sealed::new(&[]);
    sealed.round(|_| Answer::Disabled);
    assert!(!sealed.rounds.tell().unwrap().confirmed);
    let begun = sealed.now;
    while !sealed.rounds.tell().unwrap().confirmed {
        sealed.round(|_| Answer::Disabled);
    }
    assert!(sealed.rounds.home_denials() >= 3 && sealed.now - begun >= Policy::default().confirm);
}

#[test]
fn a_denial_that_was_seen_before_an_outage_is_not_told_during_it() {
    let mut sealed = Sealed::new(&[]);
    while !sealed.rounds.tell().is_some_and(|fact| fact.confirmed) {
        sealed.round(|_| Answer::Disabled);
    }
    sealed.round(|_| Answer::Throttled);
    assert!(sealed.rounds.tell().is_some(), "that said nothing");
    sealed.round(|_| Answer::Out);
    assert_eq!(sealed.rounds.tell(), None, "it may be over");
    assert!(sealed.rounds.denied().contains(&home()), "and this member waits for home all the same");
    sealed.round(|_| Answer::Disabled);
    assert!(sealed.rounds.tell().unwrap().confirmed);
}

#[test]
fn a_denial_in_a_region_that_the_settings_left_is_asked_about() {
    let keys = key(MULTI, &[home(), far()]);
    let rounds = Rounds::new(Policy::default(), keys, [away()].into(), None);
    let mut sealed = Sealed { rounds, now: Duration::ZERO };
    assert_eq!(sealed.round(out_at_home), [home(), away()], "only access there clears it while home is out");
    assert!(sealed.rounds.denied().is_empty());
}
