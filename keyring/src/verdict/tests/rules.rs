//! Every rule of a running member, by name.

use std::time::Duration;

use super::scene::{Answer, MULTI, SINGLE, Scene, away, far, home, key, secs};
use crate::health::PROBE_LIMIT;
use crate::kms::Region;
use crate::verdict::{AlertKind, ChangeRefused, Event, Machine, Policy, Stance, Stop};

const HOUR: Duration = Duration::from_secs(3600);

fn told(region: &Region, confirmed: bool) -> Event {
    Event::Told { by: 2, region: region.clone(), confirmed }
}

fn single() -> Scene {
    Scene::new(Policy::default(), key(SINGLE, &[home()]))
}

#[test]
fn three_denials_over_the_time_to_confirm_stop_a_member() {
    for answer in [Answer::Disabled, Answer::NoAccess, Answer::Missing] {
        let mut scene = single();
        scene.set(&home(), answer);
        let took = scene.run_until(HOUR, |scene| !scene.serves());
        assert!(took >= secs(45) && took <= Policy::default().longest_to_decision(), "{took:?}");
        assert_eq!(scene.asked(&home()), 3);
        assert!(matches!(scene.stop(), Some(Stop::Denied { .. })));
        assert_eq!(scene.alert(AlertKind::Revoked), Some(&home()));
    }
}

#[test]
fn short_intervals_stop_a_member_in_seconds() {
    let policy = Policy { interval: secs(1), confirm: secs(2), ..Policy::default() };
    let mut scene = Scene::new(policy, key(SINGLE, &[home()]));
    scene.set(&home(), Answer::NoAccess);
    assert!(scene.run_until(HOUR, |scene| !scene.serves()) <= Duration::from_millis(3100));
}

#[test]
fn access_between_denials_clears_them() {
    let mut scene = single();
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| scene.asked(&home()) == 2 && scene.last.probe.is_empty());
    assert_eq!(scene.alert(AlertKind::DenialPending), Some(&home()));
    assert_eq!(scene.last.denied.len(), 1, "a restart remembers it");
    scene.set(&home(), Answer::Works);
    scene.run(HOUR);
    assert_eq!(scene.last.stance, Stance::Serve);
    assert!(scene.last.denied.is_empty());
}

#[test]
fn an_outage_never_stops_a_member() {
    for answer in [Answer::Out, Answer::Silent, Answer::Wrong] {
        let mut scene = Scene::three();
        for region in [home(), away(), far()] {
            scene.set(&region, answer);
        }
        scene.run(HOUR * 24);
        assert_eq!(scene.last.stance, Stance::Degraded, "{answer:?}");
        for region in [home(), away(), far()] {
            scene.set(&region, Answer::Works);
        }
        scene.run(HOUR);
        assert_eq!(scene.last.stance, Stance::Serve, "{answer:?}");
    }
}

#[test]
fn throttling_is_neither_an_outage_nor_a_revocation() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Throttled);
    scene.run(secs(600));
    assert_eq!(scene.last.stance, Stance::Serve);
    assert_eq!(scene.last.active, home(), "no failover");
    assert_eq!(scene.alert(AlertKind::KmsThrottled), Some(&home()));
    // Every 30 s it would be 20 times.
    assert!((4..=8).contains(&scene.asked(&home())), "it backs off: {}", scene.asked(&home()));
    scene.set(&home(), Answer::Works);
    scene.run(secs(130));
    assert!(scene.last.alerts.is_empty(), "{:?}", scene.last.alerts);
}

#[test]
fn throttled_between_two_denials_the_count_stands() {
    let mut scene = single();
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| scene.asked(&home()) == 2 && scene.last.probe.is_empty());
    scene.set(&home(), Answer::Throttled);
    scene.run(secs(300));
    assert!(scene.serves());
    assert!(scene.alert(AlertKind::DenialPending).is_some());
    scene.set(&home(), Answer::Disabled);
    let before = scene.asked(&home());
    // Put off by an interval at most, and one denial is enough.
    scene.run_until(secs(31), |scene| !scene.serves());
    assert!(scene.asked(&home()) <= before + 2);
}

#[test]
fn an_unreachable_home_sends_to_the_next_region_within_two_intervals() {
    for answer in [Answer::Out, Answer::Silent] {
        let mut scene = Scene::three();
        scene.run(secs(31));
        scene.set(&home(), answer);
        let took = scene.run_until(HOUR, |scene| scene.last.active != home());
        assert!(took <= secs(60), "{took:?}");
        assert_eq!(scene.last.active, away(), "the next one in the order of the settings");
        assert_eq!(scene.last.stance, Stance::Degraded);
        assert_eq!(scene.alert(AlertKind::FailedOver), Some(&away()));
    }
}

#[test]
fn the_second_region_being_out_too_the_third_is_taken() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Silent);
    scene.set(&away(), Answer::Silent);
    let took = scene.run_until(HOUR, |scene| scene.last.active != home());
    assert!(took <= secs(60), "{took:?}");
    assert_eq!(scene.last.active, far());
}

/// The home that refuses is asked again before the second Region was silent for long enough.
#[test]
fn answers_slower_than_the_interval_do_not_keep_a_member_from_failing_over() {
    let policy = Policy { interval: secs(1), confirm: secs(2), ..Policy::default() };
    let mut scene = Scene::new(policy, key(MULTI, &[home(), away(), far()]));
    scene.set(&home(), Answer::Out);
    scene.set(&away(), Answer::Silent);
    let took = scene.run_until(HOUR, |scene| scene.last.active != home());
    assert!(took <= secs(2) + PROBE_LIMIT, "{took:?}");
    assert_eq!(scene.last.active, far());
}

#[test]
fn a_single_region_key_does_not_fail_over() {
    let mut scene = single();
    scene.set(&home(), Answer::Out);
    scene.run(HOUR);
    assert_eq!(scene.last.active, home());
    assert_eq!(scene.alert(AlertKind::KmsUnreachable), Some(&home()));
}

#[test]
fn nothing_but_an_outage_fails_over() {
    for answer in [Answer::Throttled, Answer::Wrong, Answer::Disabled, Answer::NoAccess] {
        let mut scene = Scene::three();
        scene.set(&home(), answer);
        scene.run(HOUR);
        assert_eq!(scene.last.active, home(), "{answer:?}");
    }
}

#[test]
fn denied_once_and_then_cut_off_there_is_no_failover_and_no_rescue() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| !scene.last.denied.is_empty());
    scene.set(&home(), Answer::Silent);
    scene.run(HOUR * 10);
    assert!(scene.serves());
    assert_eq!(scene.last.active, home());
    assert_eq!(scene.alert(AlertKind::DenialPending), Some(&home()));
    assert!(matches!(
        scene.machine.may_change(None),
        Err(ChangeRefused::DenialPending { region }) if region == home()
    ));
    scene.set(&home(), Answer::Disabled);
    scene.run_until(secs(60), |scene| !scene.serves());
    assert_eq!(scene.stop().map(Stop::region), Some(&home()));
}

#[test]
fn only_access_in_the_same_region_clears_a_denial() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Out);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    scene.set(&away(), Answer::NoAccess);
    scene.run_until(HOUR, |scene| !scene.last.denied.is_empty());
    scene.set(&away(), Answer::Out);
    scene.set(&home(), Answer::Works);
    scene.run(HOUR);
    assert_eq!(scene.last.active, away(), "home gives access, and that clears nothing elsewhere");
    assert!(scene.last.denied.contains(&away()));
    scene.set(&away(), Answer::Works);
    scene.run(secs(60));
    assert_eq!(scene.last.active, home(), "then it returns");
    assert!(scene.last.denied.is_empty());
}

#[test]
fn disabling_only_home_stops_and_does_not_fail_over() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| !scene.serves());
    assert_eq!(scene.last.active, home());
}

#[test]
fn disabling_a_candidate_is_an_alert_and_no_more() {
    let mut scene = Scene::three();
    scene.set(&away(), Answer::Disabled);
    scene.run(HOUR);
    assert_eq!(scene.last.stance, Stance::Serve);
    assert_eq!(scene.alert(AlertKind::ReplicaUnusable), Some(&away()));
    assert!(scene.last.denied.is_empty(), "nothing is pending");
    scene.set(&away(), Answer::Works);
    scene.run(HOUR);
    assert!(scene.last.alerts.is_empty());
}

#[test]
fn a_candidate_that_denies_is_skipped() {
    for answer in [Answer::Disabled, Answer::Missing, Answer::NoAccess, Answer::Wrong, Answer::Throttled] {
        let mut scene = Scene::three();
        scene.set(&away(), answer);
        scene.set(&home(), Answer::Out);
        let took = scene.run_until(HOUR, |scene| scene.last.active != home());
        assert!(took <= secs(60), "{took:?}");
        assert_eq!(scene.last.active, far(), "{answer:?}");
        assert!(scene.last.denied.is_empty());
        if answer == Answer::Missing {
            let alert = scene.last.alerts.iter().find(|alert| alert.kind == AlertKind::ReplicaUnusable);
            assert_eq!(alert.map(|alert| alert.help), Some("CK0024"), "there is no replica");
        }
    }
}

#[test]
fn after_an_outage_of_home_a_disabled_active_replica_stops() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Silent);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    scene.set(&away(), Answer::Disabled);
    let took = scene.run_until(HOUR, |scene| !scene.serves());
    assert!(took <= Policy::default().longest_to_decision(), "{took:?}");
    assert_eq!(scene.stop().map(Stop::region), Some(&away()));
    assert_eq!(scene.last.active, away(), "it was not outwitted");
}

#[test]
fn while_failed_over_a_denial_at_home_stops() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Out);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    scene.set(&home(), Answer::Disabled);
    let took = scene.run_until(HOUR, |scene| !scene.serves());
    assert!(took <= Policy::default().longest_to_decision(), "{took:?}");
    assert_eq!(scene.stop().map(Stop::region), Some(&home()));
}

#[test]
fn a_member_returns_home_after_ten_minutes_of_access_there() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Out);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    scene.set(&home(), Answer::Works);
    let took = scene.run_until(HOUR, |scene| scene.last.active == home());
    assert!(took >= secs(600) && took <= secs(660), "{took:?}");
    assert_eq!(scene.last.stance, Stance::Serve);
    // A break begins it anew.
    scene.set(&home(), Answer::Out);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    scene.set(&home(), Answer::Works);
    scene.run(secs(500));
    scene.set(&home(), Answer::Out);
    scene.run(secs(40));
    scene.set(&home(), Answer::Works);
    scene.run(secs(500));
    assert_eq!(scene.last.active, away());
}

#[test]
fn an_outage_of_the_active_replica_goes_home_at_once_where_home_is_back() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Out);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    scene.set(&home(), Answer::Works);
    scene.set(&away(), Answer::Out);
    let took = scene.run_until(HOUR, |scene| scene.last.active != away());
    assert!(took <= secs(60), "{took:?}");
    assert_eq!(scene.last.active, home());
}

#[test]
fn a_confirmed_fact_stops_a_member_that_is_cut_off() {
    let mut scene = Scene::three();
    for region in [home(), away(), far()] {
        scene.set(&region, Answer::Silent);
    }
    scene.run(secs(120));
    scene.event(told(&home(), true));
    assert_eq!(scene.stop(), Some(&Stop::Told { region: home(), by: 2 }));
}

#[test]
fn a_confirmed_fact_stops_a_member_that_failed_over() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Silent);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    scene.event(told(&home(), true));
    assert!(!scene.serves());
}

#[test]
fn an_unconfirmed_fact_blocks_the_failover_of_a_member_that_is_cut_off() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Silent);
    for region in [away(), far()] {
        scene.set(&region, Answer::Out);
    }
    scene.run(secs(60));
    scene.event(told(&home(), false));
    scene.set(&away(), Answer::Works);
    scene.run(HOUR);
    assert!(scene.serves());
    assert_eq!(scene.last.active, home());
    assert_eq!(scene.alert(AlertKind::DenialPending), Some(&home()));
    scene.event(told(&home(), true));
    assert!(!scene.serves(), "the peer has confirmed it");
}

#[test]
fn a_member_that_can_look_itself_looks_at_once_and_decides_itself() {
    let mut scene = Scene::three();
    scene.run(secs(31));
    let before = scene.asked(&home());
    scene.event(told(&home(), true));
    assert!(scene.serves());
    scene.run(secs(1));
    assert_eq!(scene.asked(&home()), before + 1, "at once");
    scene.run(HOUR);
    assert_eq!(scene.last.stance, Stance::Serve, "it has access: the peer was wrong, or late");
    // What was told before it had access does not count later.
    scene.set(&home(), Answer::Silent);
    scene.run(HOUR);
    assert!(scene.serves());
}

#[test]
fn cut_off_between_being_told_and_looking_a_member_takes_it_as_seen() {
    let mut scene = Scene::three();
    scene.run(secs(31));
    scene.set(&home(), Answer::Silent);
    scene.event(told(&home(), true));
    let took = scene.run_until(HOUR, |scene| !scene.serves());
    assert!(took <= PROBE_LIMIT, "{took:?}");
    assert!(matches!(scene.stop(), Some(Stop::Told { .. })));
}

#[test]
fn what_is_told_of_a_candidate_stops_nobody() {
    let mut scene = Scene::three();
    scene.set(&away(), Answer::Silent);
    scene.run(HOUR);
    scene.event(told(&away(), true));
    scene.run(HOUR);
    assert_eq!(scene.last.stance, Stance::Serve);
}

#[test]
fn facts_of_the_key_are_told_and_a_members_own_troubles_are_not() {
    let mut scene = single();
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| !scene.last.tell.is_empty());
    assert!(!scene.last.tell[0].confirmed);
    scene.run_until(HOUR, |scene| !scene.serves());
    assert!(scene.last.tell[0].confirmed);
    let mut scene = single();
    scene.set(&home(), Answer::NoAccess);
    scene.run_until(HOUR, |scene| !scene.serves());
    assert!(scene.last.tell.is_empty());
}

#[test]
fn max_unreachable_stops_when_home_was_silent_that_long_and_not_before() {
    let policy = Policy { max_unreachable: Some(secs(900)), ..Policy::default() };
    for regions in [vec![home()], vec![home(), away(), far()]] {
        let mut scene = Scene::new(policy, key(MULTI, &regions));
        scene.run(secs(100));
        scene.set(&home(), Answer::Silent);
        let took = scene.run_until(HOUR, |scene| !scene.serves());
        assert!(took > secs(865) && took <= secs(900), "{took:?}, failed over: {}", regions.len() > 1);
        assert_eq!(scene.stop(), Some(&Stop::Silent { region: home(), limit: secs(900) }));
        assert!(scene.last.denied.contains(&home()), "a restart must not outlive it");
        assert_eq!(scene.last.active == home(), regions.len() == 1);
    }
}

#[test]
fn a_restart_does_not_set_back_for_how_long_home_was_silent() {
    let policy = Policy { max_unreachable: Some(secs(900)), ..Policy::default() };
    let keys = key(MULTI, &[home(), away()]);
    let seen =
        |answer: Answer, asked| Event::Probed { seen: answer.observe(&home(), secs(asked)), jitter: 0.0 };
    let started = Machine::new(policy, keys.clone(), away(), secs(0), None).with_home_silent(secs(800));
    let mut machine = started.clone();
    assert_eq!(machine.on(secs(0), Event::Tick).stance, Stance::Degraded, "it is elsewhere");
    assert_eq!(machine.home_is_cut(), None, "it was not asked yet");
    machine.on(secs(5), seen(Answer::Out, 0));
    assert_eq!((machine.home_is_cut(), machine.silent_stop()), (Some(true), Some(secs(100))));
    assert!(matches!(machine.on(secs(100), Event::Tick).stance, Stance::ShutDown(Stop::Silent { .. })));
    // An answer of home ends it, and so does access there at the start.
    let mut machine = started;
    machine.on(secs(5), seen(Answer::Works, 0));
    machine.on(secs(40), seen(Answer::Out, 35));
    assert_eq!(machine.silent_stop(), Some(secs(905)));
    let at_home = Machine::new(policy, keys, home(), secs(0), None).with_home_silent(secs(800));
    assert_eq!(at_home.home_is_cut(), Some(false));
}

/// Whoever answers for the names can send a member to a public address, which it refuses: that is a cut like any other.
#[test]
fn a_way_that_is_not_taken_is_as_good_as_cut() {
    let policy = Policy { max_unreachable: Some(secs(900)), ..Policy::default() };
    let mut scene = Scene::new(policy, key(MULTI, &[home(), away()]));
    scene.set(&home(), Answer::Public);
    let took = scene.run_until(HOUR, |scene| !scene.serves());
    assert!(took <= secs(900), "{took:?}");
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Public);
    scene.run(HOUR);
    assert!(scene.serves() && scene.last.active == home(), "and a person must look");
    scene.event(told(&home(), true));
    assert_eq!(scene.stop(), Some(&Stop::Told { region: home(), by: 2 }));
}

#[test]
fn max_unreachable_counts_from_the_last_answer_and_not_while_throttled() {
    let policy = Policy { max_unreachable: Some(secs(900)), ..Policy::default() };
    let mut scene = Scene::new(policy, key(SINGLE, &[home()]));
    for _ in 0..10 {
        scene.set(&home(), Answer::Silent);
        scene.run(secs(800));
        assert!(scene.machine.silent_stop().is_some());
        scene.set(&home(), Answer::Works);
        scene.run(secs(60));
        assert_eq!(scene.last.stance, Stance::Serve);
    }
    scene.set(&home(), Answer::Throttled);
    scene.run(HOUR * 5);
    assert_eq!(scene.last.stance, Stance::Serve);
}

#[test]
fn without_max_unreachable_a_silent_home_stops_nobody() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Silent);
    scene.run(HOUR * 100);
    assert!(scene.serves());
    assert_eq!(scene.machine.silent_stop(), None);
}

#[test]
fn an_operators_choice_is_used_and_kept() {
    let mut scene = Scene::three();
    scene.event(Event::Choose(Some(far())));
    assert_eq!(scene.last.active, far());
    scene.run(HOUR);
    assert_eq!(scene.last.active, far(), "it does not return home by itself");
    assert_eq!(scene.alert(AlertKind::Override), Some(&far()));
    // An outage there is an outage; then it comes back to what was chosen.
    scene.set(&far(), Answer::Out);
    scene.run_until(HOUR, |scene| scene.last.active != far());
    assert_eq!(scene.last.active, home());
    scene.set(&far(), Answer::Works);
    scene.run_until(HOUR, |scene| scene.last.active == far());
    scene.event(Event::Choose(None));
    assert_eq!(scene.last.active, home());
    assert_eq!(scene.alert(AlertKind::Override), None);
}

#[test]
fn an_operators_choice_does_not_go_round_a_denial_at_home() {
    let mut scene = Scene::three();
    scene.event(Event::Choose(Some(far())));
    scene.run(HOUR);
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| !scene.serves());
    assert_eq!(scene.stop().map(Stop::region), Some(&home()));
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| !scene.last.denied.is_empty());
    scene.event(Event::Choose(Some(far())));
    assert_eq!(scene.last.active, home());
}

#[test]
fn a_choice_from_before_a_start_is_used_from_its_first_access() {
    let keys = key(MULTI, &[home(), away(), far()]);
    let mut machine = Machine::new(Policy::default(), keys.clone(), home(), secs(0), Some(far()));
    let decision = machine.on(secs(0), Event::Tick);
    assert_eq!(decision.active, home(), "nobody knows yet whether it can be used");
    assert!(decision.probe.contains(&far()));
    let seen = |region: Region, answer: Answer, asked| Event::Probed {
        seen: answer.observe(&region, secs(asked)),
        jitter: 0.0,
    };
    // Its owner disabled it: a member that serves from home would else stop and start again for ever.
    let mut denied = machine.clone();
    for _ in 0..3 {
        let decision = denied.on(secs(1), seen(far(), Answer::Disabled, 0));
        assert_eq!((decision.active, decision.stance), (home(), Stance::Serve));
    }
    assert_eq!(machine.on(secs(1), seen(far(), Answer::Works, 0)).active, far());
    // Out of reach once it was used, it is returned to like home.
    machine.on(secs(3), seen(far(), Answer::Out, 2));
    assert_eq!(machine.on(secs(4), seen(home(), Answer::Works, 3)).active, home());
    assert_eq!(machine.on(secs(6), seen(far(), Answer::Works, 5)).active, home());
}

#[test]
fn a_choice_that_is_taken_back_does_not_begin_the_count_of_denials_anew() {
    let mut scene = Scene::three();
    scene.event(Event::Choose(Some(far())));
    scene.run(secs(60));
    scene.set(&far(), Answer::Disabled);
    scene.run_until(HOUR, |scene| !scene.last.denied.is_empty());
    scene.event(Event::Choose(None));
    assert_eq!(scene.last.active, far(), "a denial is pending there");
    let took = scene.run_until(HOUR, |scene| !scene.serves());
    assert!(took <= Policy::default().confirm + secs(1), "{took:?}");
}

#[test]
fn newer_settings_clear_a_choice_and_older_ones_do_not() {
    let mut scene = Scene::three();
    scene.event(Event::Choose(Some(far())));
    let mut settings = key(MULTI, &[home(), away(), far()]);
    scene.event(Event::Watch(settings.clone()));
    assert_eq!(scene.last.active, far());
    settings.settings_version = 2;
    scene.event(Event::Watch(settings));
    assert_eq!(scene.alert(AlertKind::Override), None);
    scene.run(secs(700));
    assert_eq!(scene.last.active, home());
}

#[test]
fn a_single_region_key_cannot_be_asked_elsewhere() {
    let scene = single();
    let refused = scene.machine.may_change(Some(&away())).unwrap_err();
    assert_eq!(refused.help(), "CK0022");
    assert!(refused.to_string().contains("cannot convert"), "{refused}");
    assert!(scene.machine.may_change(Some(&home())).is_ok());
}

#[test]
fn a_new_home_is_used_at_once_and_another_policy_changes_nothing() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Out);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    let mut settings = key(MULTI, &[home(), away(), far()]);
    settings.settings_version = 2;
    scene.event(Event::Watch(settings.clone()));
    assert_eq!(scene.last.active, away(), "it stays where it is");
    settings.regions = vec![far(), away()];
    settings.settings_version = 3;
    scene.event(Event::Watch(settings));
    assert_eq!(scene.last.active, far());
    let before = scene.asked(&far());
    scene.run(secs(1));
    assert_eq!(scene.asked(&far()), before + 1, "and is asked");
    let known: Vec<_> = scene.machine.regions().into_iter().map(|(region, _)| region).collect();
    assert_eq!(known, [far(), away()], "the old home is not asked any more");
}

#[test]
fn a_denial_outlives_settings_that_leave_its_region() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Disabled);
    scene.run_until(HOUR, |scene| !scene.last.denied.is_empty());
    let mut settings = key(MULTI, &[away(), far()]);
    settings.settings_version = 2;
    scene.last.denied.clear();
    scene.event(Event::Watch(settings));
    assert!(scene.last.denied.contains(&home()));
    scene.run_until(secs(60), |scene| !scene.serves());
}

#[test]
fn a_new_key_begins_with_a_clean_slate() {
    let mut scene = Scene::three();
    scene.set(&home(), Answer::Silent);
    scene.run_until(HOUR, |scene| scene.last.active == away());
    let other = MULTI.replace("mrk-0", "mrk-1");
    scene.event(Event::Watch(key(&other, &[far()])));
    assert_eq!(scene.last.active, far());
    assert_eq!(scene.last.stance, Stance::Serve);
}

#[test]
fn jitter_shortens_the_pauses_of_a_healthy_member_only() {
    let mut scene = single();
    let seen = Answer::Works.observe(&home(), secs(0));
    scene.event(Event::Probed { seen, jitter: 0.1 });
    assert_eq!(scene.last.wake, Some(secs(27)));
    let seen = Answer::Disabled.observe(&home(), secs(0));
    scene.event(Event::Probed { seen, jitter: 0.1 });
    assert_eq!(scene.last.wake, Some(Duration::from_millis(7500)));
}

#[test]
fn regions_that_stand_by_are_asked_less_often() {
    let mut scene = Scene::three();
    scene.run(HOUR);
    let (often, seldom) = (scene.asked(&home()), scene.asked(&away()));
    assert!((115..=121).contains(&often) && (29..=32).contains(&seldom), "{often} {seldom}");
    assert!(scene.last.alerts.is_empty());
}
