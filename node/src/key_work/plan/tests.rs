//! Decisions, one by one.

use coffer_proto::internal::v1::{DatabaseKeyState, MemberKeysRecord, SettingsRecord};

use super::super::KeyTargets;
use super::*;

const OLD: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-00000000000000000000000000000001";
const NEW: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-00000000000000000000000000000002";
const THIRD: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-00000000000000000000000000000003";
const NEW_IN_US: &str = "arn:aws:kms:us-east-1:111122223333:key/mrk-00000000000000000000000000000002";

fn member(id: u64) -> MemberView {
    let report = MemberKeysRecord {
        member_id: id,
        cmk_arn: NEW.to_owned(),
        encryption_enabled: true,
        may_turn_encryption_off: true,
        ..MemberKeysRecord::default()
    };
    MemberView { id, voter: true, report: Some(report), silent_ms: None, refused: None }
}

/// `count` members with nothing to do; member 1 leads.
fn situation(count: u64) -> Situation {
    Situation {
        leader: 1,
        settings: SettingsRecord { cmk_arn: NEW.to_owned(), ..SettingsRecord::default() },
        targets: KeyTargets::default(),
        members: (1..=count).map(member).collect(),
        databases: [1, 7, 8].into(),
        now_ms: 1_000,
    }
}

impl Situation {
    fn report(&mut self, id: u64) -> &mut MemberKeysRecord {
        self.view(id).report.as_mut().unwrap()
    }

    fn view(&mut self, id: u64) -> &mut MemberView {
        self.members.iter_mut().find(|member| member.id == id).unwrap()
    }
}

fn order(member: u64, work: Work) -> Decision {
    Decision::Order { member, work }
}

fn waiting_for(situation: &Situation, kind: &str) -> String {
    let tasks = tasks(situation, |_| None);
    tasks.into_iter().find(|task| task.kind == kind).unwrap().waiting_for
}

#[test]
fn nothing_asked_for_is_nothing_to_do() {
    assert_eq!(decide(&situation(3)), Decision::Finished);
}

#[test]
fn members_take_turns_and_the_leader_is_last() {
    let mut situation = situation(3);
    let round = situation.targets.request_all_masters(5);
    for id in [2, 3, 1] {
        assert_eq!(decide(&situation), order(id, Work::Master { round }));
        situation.targets.give_turn(id, false);
        situation.report(id).busy = true;
        assert_eq!(decide(&situation), Decision::Wait);
        let task = &tasks(&situation, |_| None)[0];
        assert_eq!((task.kind.as_str(), task.working), ("master", id));
        situation.report(id).busy = false;
        situation.report(id).master_round = round;
    }
    assert_eq!(decide(&situation), Decision::Finished);
    let task = &tasks(&situation, |_| None)[0];
    assert_eq!((task.done.as_slice(), task.pending.len()), ([1, 2, 3].as_slice(), 0));
    assert_eq!(task.requested, "1970-01-01T00:00:00Z");
}

#[test]
fn who_was_told_last_is_waited_for_while_it_is_silent_but_not_for_ever() {
    let mut situation = situation(3);
    let round = situation.targets.request_all_masters(5);
    situation.targets.give_turn(2, false);
    situation.view(2).silent_ms = Some(59_999);
    assert_eq!(decide(&situation), Decision::Wait);
    assert_eq!(
        waiting_for(&situation, "master"),
        "member 2 was at work and does not answer; the others go on without it in 1 s"
    );
    situation.view(2).silent_ms = Some(60_000);
    assert_eq!(decide(&situation), order(3, Work::Master { round }));
    situation.targets.give_turn(2, true);
    assert_eq!(decide(&situation), Decision::Wait, "one that restarts has longer");
    situation.members.remove(1);
    assert_eq!(decide(&situation), order(3, Work::Master { round }), "one that was removed has no turn");
}

#[test]
fn who_does_not_answer_is_passed_over_and_told_when_it_does() {
    let mut situation = situation(3);
    let round = situation.targets.request_all_masters(5);
    situation.view(2).silent_ms = Some(10);
    assert_eq!(decide(&situation), order(3, Work::Master { round }));
    situation.report(3).master_round = round;
    situation.report(1).master_round = round;
    assert_eq!(decide(&situation), Decision::Wait);
    assert_eq!(waiting_for(&situation, "master"), "member 2 does not answer");
    situation.view(2).silent_ms = None;
    assert_eq!(decide(&situation), order(2, Work::Master { round }));
}

#[test]
fn a_member_with_a_denial_or_a_refusal_is_left_alone() {
    let mut situation = situation(3);
    let round = situation.targets.request_all_masters(5);
    situation.report(2).denial_pending = true;
    situation.view(3).refused = Some("its KMS does not answer".to_owned());
    assert_eq!(decide(&situation), order(1, Work::Master { round }));
    situation.report(1).master_round = round;
    assert_eq!(decide(&situation), Decision::Wait);
    let reason = waiting_for(&situation, "master");
    assert!(reason.contains("denied to member 2"), "{reason}");
    assert!(reason.contains("member 3 refused: its KMS does not answer"), "{reason}");
}

#[test]
fn a_member_under_another_customer_key_rotates_whatever_its_round() {
    let mut situation = situation(3);
    situation.report(2).cmk_arn = NEW_IN_US.to_owned();
    assert_eq!(decide(&situation), Decision::Finished, "a replica is the same key");
    situation.report(3).cmk_arn = OLD.to_owned();
    // Nobody said that it is replaced.
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert_eq!(targets.record().old_cmk_arns, [OLD]);
    situation.targets = targets;
    assert_eq!(decide(&situation), order(3, Work::Master { round: 0 }));
}

#[test]
fn an_old_customer_key_is_needed_until_every_member_has_said_that_it_is_not() {
    let mut situation = situation(3);
    let key = |arn| coffer_keyring::kms::KeyArn::parse(arn).unwrap();
    let round = situation.targets.request_cmk_round(&key(OLD), &key(NEW), 5).unwrap();
    for id in [1, 2, 3] {
        situation.report(id).cmk_arn = OLD.to_owned();
    }
    situation.view(3).report = None;
    situation.view(3).silent_ms = Some(1);
    assert_eq!(decide(&situation), order(2, Work::Master { round }));
    for id in [1, 2] {
        situation.report(id).cmk_arn = NEW.to_owned();
        situation.report(id).master_round = round;
    }
    assert_eq!(decide(&situation), Decision::Wait);
    let expected =
        format!("do not delete or disable the old key yet: member 3 still depends on it ({OLD}; CK0041)");
    assert_eq!(notices(&situation), [expected]);
    let listed = tasks(&situation, |_| None);
    assert_eq!(listed.len(), 1, "the round of master keys is part of it");
    assert_eq!((listed[0].kind.as_str(), listed[0].pending.as_slice()), ("cmk", [3].as_slice()));
    situation.members.pop();
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert!(targets.record().old_cmk_arns.is_empty(), "a removed member does not count");
    situation.targets = targets;
    assert_eq!(decide(&situation), Decision::Finished);
    assert!(notices(&situation).is_empty());
}

#[test]
fn a_key_that_a_silent_member_may_have_come_under_is_not_forgotten() {
    let mut situation = situation(3);
    let key = |arn| coffer_keyring::kms::KeyArn::parse(arn).unwrap();
    situation.settings.cmk_arn = OLD.to_owned();
    for id in [1, 2, 3] {
        situation.report(id).cmk_arn = OLD.to_owned();
    }
    situation.settings.cmk_arn = NEW.to_owned();
    let round = situation.targets.request_cmk_round(&key(OLD), &key(NEW), 5).unwrap();
    assert_eq!(decide(&situation), order(2, Work::Master { round }));
    // It went away before it answered, so it is under either; and the key is replaced once more.
    situation.view(2).silent_ms = Some(70_000);
    situation.settings.cmk_arn = THIRD.to_owned();
    let round = situation.targets.request_cmk_round(&key(NEW), &key(THIRD), 6).unwrap();
    for id in [1, 3] {
        situation.report(id).cmk_arn = THIRD.to_owned();
        situation.report(id).master_round = round;
    }
    assert_eq!(decide(&situation), Decision::Wait, "nothing is forgotten");
    let needed: Vec<_> = old_cmk_notices(&situation).into_iter().map(|(arn, _)| arn).collect();
    assert_eq!(needed, [OLD, NEW]);
    // It is back, and says which one it is.
    situation.view(2).silent_ms = None;
    situation.report(2).cmk_arn = NEW.to_owned();
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert_eq!(targets.record().old_cmk_arns, [NEW]);
    situation.targets = targets;
    assert_eq!(decide(&situation), order(2, Work::Master { round }));
    situation.report(2).cmk_arn = THIRD.to_owned();
    situation.report(2).master_round = round;
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert!(targets.record().old_cmk_arns.is_empty());
}

#[test]
fn a_restart_leaves_a_majority_and_the_leader_hands_over_first() {
    let mut situation = situation(3);
    let round = situation.targets.request_encryption(false, 5);
    let work = Work::Encryption { enabled: false, round };
    assert_eq!(decide(&situation), order(2, work));
    situation.view(3).silent_ms = Some(1);
    assert_eq!(decide(&situation), Decision::Wait);
    let reason = waiting_for(&situation, "encryption");
    assert!(reason.contains("no majority while member 3 does not answer"), "{reason}");
    situation.view(3).silent_ms = None;
    situation.report(2).encryption_enabled = false;
    situation.report(3).encryption_enabled = false;
    assert_eq!(decide(&situation), Decision::HandOver);
    situation.leader = 3;
    assert_eq!(decide(&situation), order(1, work));
    situation.report(1).encryption_enabled = false;
    assert_eq!(decide(&situation), Decision::Finished);
}

#[test]
fn the_only_member_restarts_and_one_of_two_does_while_both_answer() {
    let mut alone = situation(1);
    let round = alone.targets.request_encryption(false, 5);
    assert_eq!(decide(&alone), order(1, Work::Encryption { enabled: false, round }));
    let mut two = situation(2);
    let round = two.targets.request_encryption(false, 5);
    assert_eq!(decide(&two), order(2, Work::Encryption { enabled: false, round }));
    two.view(2).silent_ms = Some(1);
    assert_eq!(decide(&two), Decision::Wait);
}

#[test]
fn encryption_stays_on_while_the_configuration_of_a_member_wants_it() {
    let mut situation = situation(3);
    situation.targets.request_encryption(false, 5);
    situation.report(3).may_turn_encryption_off = false;
    assert_eq!(decide(&situation), Decision::Wait);
    let reason = waiting_for(&situation, "encryption");
    assert!(reason.starts_with("the configuration of member 3 does not let"), "{reason}");
    // The way back is always open.
    situation.report(2).encryption_enabled = false;
    let round = situation.targets.request_encryption(true, 6);
    assert_eq!(decide(&situation), order(2, Work::Encryption { enabled: true, round }));
}

#[test]
fn databases_are_rewritten_one_after_the_other_and_forgotten_when_all_are_done() {
    let mut situation = situation(2);
    let first = situation.targets.request_database_round(7, 5).unwrap();
    let second = situation.targets.request_database_round(8, 5).unwrap();
    let state = |database_id, round, versions, percent| DatabaseKeyState {
        database_id,
        round,
        version: 2,
        versions,
        percent,
    };
    assert_eq!(decide(&situation), order(2, Work::Database { database_id: 7, round: first }));
    situation.report(2).databases = vec![state(7, first, 2, 40)];
    assert_eq!(decide(&situation), Decision::Wait);
    let listed = tasks(&situation, |id| (id == 7).then(|| "shop".to_owned()));
    let shop = &listed[0];
    assert_eq!((shop.subject.as_str(), shop.working, shop.percent), ("shop", 2, 40));
    assert_eq!(listed[1].waiting_for, "member 2 rewrites database 7");
    // Something is being read there for long: the others go on.
    situation.report(2).databases = vec![state(7, first, 2, 100)];
    assert_eq!(decide(&situation), order(2, Work::Database { database_id: 8, round: second }));
    situation.report(2).databases = vec![state(7, first, 2, 100), state(8, second, 1, 100)];
    assert_eq!(decide(&situation), order(1, Work::Database { database_id: 7, round: first }));
    situation.report(1).databases = vec![state(7, first, 1, 100), state(8, second, 1, 100)];
    assert_eq!(
        waiting_for(&situation, "database"),
        "what is being read on member 2 still needs an old version of the key (CK0048)"
    );
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert_eq!(targets.record().databases.len(), 1, "database 8 is done everywhere");
    situation.targets = targets;
    assert_eq!(decide(&situation), Decision::Wait, "database 7 is not, and its end is watched");
    situation.databases.remove(&7);
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert!(targets.record().databases.is_empty(), "one that was dropped has no key");
}

#[test]
fn master_keys_go_before_databases_and_a_stale_wrap_comes_last() {
    let mut situation = situation(2);
    let database = situation.targets.request_database_round(7, 5).unwrap();
    let master = situation.targets.request_master_round(Some(1), 5).unwrap();
    situation.report(2).stale_wrap = true;
    assert_eq!(decide(&situation), order(1, Work::Master { round: master }));
    assert_eq!(tasks(&situation, |_| None)[0].subject, "member 1");
    situation.report(1).master_round = master;
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert!(targets.record().members.is_empty());
    situation.targets = targets;
    assert_eq!(decide(&situation), order(2, Work::Database { database_id: 7, round: database }));
    situation.databases.remove(&7);
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    situation.targets = targets;
    assert_eq!(decide(&situation), order(2, Work::Rewrap));
    situation.view(2).silent_ms = Some(1);
    assert_eq!(decide(&situation), Decision::Finished, "it says so again when it is back");
}

#[test]
fn members_in_the_clear_have_no_keys_to_rotate() {
    let mut situation = situation(2);
    for id in [1, 2] {
        let report = situation.report(id);
        report.encryption_enabled = false;
        report.cmk_arn.clear();
    }
    situation.targets.request_all_masters(5);
    assert_eq!(decide(&situation), Decision::Finished);
}

#[test]
fn a_dropped_database_is_shown_until_it_is_shredded_everywhere() {
    use coffer_proto::internal::v1::ShredState;
    let mut situation = situation(2);
    let state = |shredded| ShredState { database_id: 9, log_index: 40, shredded };
    situation.report(1).dropped = vec![state(true)];
    situation.report(2).dropped = vec![state(false)];
    let listed = tasks(&situation, |_| None);
    let shred = &listed[0];
    assert_eq!((shred.kind.as_str(), shred.subject.as_str(), shred.round), ("shred", "9", 40));
    assert_eq!((shred.done.as_slice(), shred.pending.as_slice()), ([1].as_slice(), [2].as_slice()));
    situation.report(2).dropped = vec![state(true)];
    assert!(tasks(&situation, |_| None).is_empty());
}

#[test]
fn a_scheduled_rotation_begins_and_ends_a_deferral() {
    let mut situation = situation(2);
    situation.settings.rotation_scheduled = true;
    situation.settings.master_key_days = 1;
    for id in [1, 2] {
        situation.report(id).master_created = "1970-01-01T00:00:00Z".to_owned();
    }
    assert_eq!(decide(&situation), Decision::Finished);
    situation.now_ms = 24 * 3600 * 1000;
    let Decision::Store { targets, .. } = decide(&situation) else { panic!("{:?}", decide(&situation)) };
    assert_eq!(targets.master_round(1), 1);
    situation.targets = targets;
    assert_eq!(decide(&situation), order(2, Work::Master { round: 1 }));
}
