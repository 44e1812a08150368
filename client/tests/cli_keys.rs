//! The commands that concern keys, as a person or a script runs them.

mod support;

use std::process::Output;

use coffer_proto::v1::kms_change_request::Change;
use coffer_proto::v1::*;
use serde_json::{Value, json as value};
use support::run::{failed, json, out, run, run_with, text};
use support::{FakeMember, KeyCall, failure};
use tonic::Code;

const CMK: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef";
const ROLE: &str = "arn:aws:iam::111122223333:role/coffer";

/// Runs `coffer` with all of these members as endpoints.
async fn run_on(members: &[&FakeMember], arguments: &[&str]) -> Output {
    let endpoints: Vec<&str> = members.iter().map(|member| member.address.as_str()).collect();
    let endpoints = endpoints.join(",");
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run_with(&endpoints, &arguments, "")
    })
    .await
    .unwrap()
}

/// A leader and its follower.
async fn pair() -> (FakeMember, FakeMember) {
    let (leader, follower) = (FakeMember::start(1).await, FakeMember::start(2).await);
    follower.follow(&leader, 1);
    let members = [(1, &leader), (2, &follower)].map(|(id, member)| Member {
        id,
        address: member.address.clone(),
        voter: true,
    });
    for (member, id) in [(&leader, 1), (&follower, 2)] {
        member.set_status(|status| status.members = members.to_vec());
        member.set_keys(|keys| {
            keys.show =
                KmsShowResponse { member_id: id, settings: Some(settings()), ..KmsShowResponse::default() };
            keys.over.member_id = id;
            keys.alerts.member_id = id;
            keys.audit = VerifyAuditResponse { member_id: id, valid: true, ..VerifyAuditResponse::default() };
        });
    }
    (leader, follower)
}

fn settings() -> KmsSettings {
    KmsSettings {
        version: 3,
        cmk_arn: CMK.into(),
        regions: vec!["eu-central-1".into(), "eu-west-1".into()],
        rotation: Some(RotationPolicy {
            scheduled: true,
            master_key_days: 90,
            window: Some(MaintenanceWindow {
                weekdays: vec![6, 7],
                start_minute: 120,
                duration_minutes: 240,
            }),
            max_deferral_days: 30,
        }),
        alerts: Some(AlertPolicy { cmk_age: true, cmk_age_days: 90 }),
        changed: "2026-11-24T10:00:00Z".into(),
        ..KmsSettings::default()
    }
}

fn accept(member: &FakeMember) {
    member.set_keys(|keys| {
        keys.change = KmsChangeResponse {
            accepted: true,
            settings: Some(settings()),
            members: vec![MemberFindings { member_id: 1, ..MemberFindings::default() }],
            findings: vec![],
        };
    });
}

/// The one change that arrived.
fn changed(member: &FakeMember) -> KmsChangeRequest {
    let calls = member.key_calls();
    let changes: Vec<_> = calls
        .iter()
        .filter_map(|call| match call {
            KeyCall::Change(change) => Some(change.clone()),
            _ => None,
        })
        .collect();
    let [change] = changes.as_slice() else { panic!("{calls:?}") };
    change.clone()
}

fn overrides(member: &FakeMember) -> Vec<(String, String)> {
    let over = |call| match call {
        KeyCall::Override(over) => Some((over.region, over.trust_cmk_arn)),
        _ => None,
    };
    member.key_calls().into_iter().filter_map(over).collect()
}

#[test]
fn what_is_wrong_in_itself_is_refused_before_anybody_is_asked() {
    for (arguments, why) in [
        (&["kms", "set-cmk", "mrk-0123456789abcdef0123456789abcdef"][..], "a bare key id"),
        (
            &["kms", "set-cmk", "mrk-0123456789abcdef0123456789abcdef"],
            "(CK0023; see `coffer explain CK0023`)",
        ),
        (&["kms", "set-cmk", "alias/mine"], "an alias, which can be pointed at another key"),
        (&["kms", "trust", "--cmk", "alias/mine"], "CK0023"),
        (&["kms", "set-cmk", CMK, "--region", "EU"], "is not a Region"),
        (&["kms", "set-role", "coffer", "--external-id", "acme"], "is not the ARN of an IAM role"),
        (&["kms", "policy", "--cmk", CMK, "--external-id", "acme"], "--role"),
        (&["kms", "policy", "--cmk", CMK, "--source-ip", "db-1.example.com"], "is no IP address"),
        (&["kms", "set-role", ROLE], "--external-id"),
        (&["kms", "set-policy"], "nothing is named"),
        (&["kms", "set-policy", "--master-key-days", "91"], "91"),
        (&["kms", "set-policy", "--window", "sat 02:00"], "its hours have no end"),
        (&["kms", "show", "--member", "1", "--all"], "--all"),
        (&["keys", "defer"], "--days"),
        (&["encryption", "disable"], "write the data of every member in the clear"),
        (&["explain", "CK9999"], "`CK9999` is no code"),
    ] {
        failed(&run_with("127.0.0.1:1", arguments, ""), 2, why);
    }
}

#[tokio::test]
async fn the_settings_are_shown_by_one_member_or_all() {
    let (leader, follower) = pair().await;
    follower.seal("the CMK is disabled");
    follower.set_keys(|keys| {
        keys.show.active_region = "eu-west-1".into();
        keys.show.r#override = Some(KmsOverrideInfo {
            region: "eu-west-1".into(),
            settings_version: 3,
            since: "2026-11-24T10:10:00Z".into(),
        });
        keys.show.warnings = vec!["Region us-east-1 has no replica (CK0024)".into()];
    });
    leader.set_keys(|keys| keys.show.active_region = "eu-central-1".into());
    let text = out(&run_on(&[&leader, &follower], &["kms", "show"]).await);
    let expected = format!(
        "member 1 ({})\n  settings        version 3, changed 2026-11-24T10:00:00Z\n  CMK             {CMK}\n  \
         Regions         eu-central-1 (home), eu-west-1\n  role            none\n  \
         rotation        every 90 days, sat,sun 02:00-06:00 UTC, put off for 30 days at most\n  \
         CMK age alert   after 90 days\n  active Region   eu-central-1\n  override        none\n",
        leader.address
    );
    assert_eq!(text, expected);
    let text = out(&run_on(&[&leader, &follower], &["kms", "show", "--member", "2"]).await);
    assert!(text.contains("eu-west-1 since 2026-11-24T10:10:00Z, instead of version 3"), "{text}");
    assert!(text.contains("! Region us-east-1 has no replica (CK0024)"), "{text}");
    let all = json(&run_on(&[&leader, &follower], &["kms", "show", "--all", "--output", "json"]).await);
    assert_eq!(all["members"][0]["settings"]["rotation"]["window"]["start_minute"], 120);
    assert_eq!(all["members"][1]["override"]["region"], "eu-west-1");
}

#[tokio::test]
async fn a_change_goes_to_the_leader_and_is_told() {
    let (leader, follower) = pair().await;
    accept(&leader);
    let set = [
        "kms",
        "set-cmk",
        CMK,
        "--region",
        "eu-central-1,eu-west-1",
        "--allow-absent",
        "2",
        "--expect-version",
        "3",
    ];
    let text = out(&run_on(&[&follower, &leader], &set).await);
    assert!(text.contains("│ 1      ┆ -      ┆ works"), "{text}");
    assert!(text.contains("version 3, changed") && text.contains("! keep the old key enabled"), "{text}");
    let regions = vec!["eu-central-1".to_owned(), "eu-west-1".to_owned()];
    assert_eq!(
        changed(&leader),
        KmsChangeRequest {
            expected_version: 3,
            change: Some(Change::SetCmk(SetCmk { cmk_arn: CMK.into(), regions })),
            allow_absent: vec![2],
            validate_only: false,
        }
    );
    let text =
        out(&run_on(&[&leader], &["kms", "set-role", ROLE, "--external-id", "acme", "--dry-run"]).await);
    assert!(text.contains("this would be accepted; nothing was changed"), "{text}");
    let change = changed(&leader);
    assert!(change.validate_only && change.expected_version == 0);
    let role = SetRole { role_arn: ROLE.into(), external_id: "acme".into() };
    assert_eq!(change.change, Some(Change::SetRole(role)));
    let text = out(&run_on(&[&leader], &["kms", "validate"]).await);
    assert!(text.contains("the settings work from every member that was asked"), "{text}");
    assert_eq!(changed(&leader), KmsChangeRequest { validate_only: true, ..KmsChangeRequest::default() });
    assert_eq!(follower.key_calls(), []);
}

#[tokio::test]
async fn a_refused_change_lists_what_is_wrong_and_ends_with_1() {
    let (leader, _follower) = pair().await;
    let finding = |warning, problem: &str, help: &str| KmsFinding {
        region: "eu-west-1".into(),
        help_code: help.into(),
        error_code: "DisabledException".into(),
        problem: problem.into(),
        warning,
    };
    leader.set_keys(|keys| {
        keys.change = KmsChangeResponse {
            accepted: false,
            settings: Some(settings()),
            members: vec![
                MemberFindings {
                    member_id: 1,
                    findings: vec![
                        finding(false, "the key is disabled", "CK0001"),
                        finding(true, "slow", ""),
                    ],
                    ..MemberFindings::default()
                },
                MemberFindings { member_id: 2, absent: true, findings: vec![] },
            ],
            findings: vec![],
        };
    });
    let output = run_on(&[&leader], &["kms", "set-cmk", CMK]).await;
    assert_eq!(output.status.code(), Some(1));
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert!(shown.contains("the key is disabled (CK0001; see `coffer explain CK0001`)"), "{shown}");
    assert!(shown.contains("warning") && shown.contains("absent"), "{shown}");
    assert_eq!(
        said,
        "coffer: refused; nothing was changed: 1 problem\nmember 2 does not answer; --allow-absent 2 goes on without\n"
    );
    let output = run_on(&[&leader], &["kms", "set-cmk", CMK, "--output", "json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["accepted"], &result["changed"]), (&value!(false), &value!(false)));
    assert_eq!(result["members"][0]["findings"][0]["help_code"], "CK0001");

    // Refused without a try.
    leader.set_keys(|keys| {
        keys.refuse = Some(failure(Code::FailedPrecondition, "REFUSED", &[("help_code", "CK0044")]));
    });
    let output = run_on(&[&leader], &["kms", "set-cmk", CMK]).await;
    failed(&output, 1, "(CK0044; see `coffer explain CK0044`)");
}

#[tokio::test]
async fn a_policy_keeps_what_is_not_named() {
    let (leader, _follower) = pair().await;
    accept(&leader);
    out(&run_on(&[&leader], &["kms", "set-policy", "--master-key-days", "30", "--window", "any"]).await);
    let change = changed(&leader);
    assert_eq!(change.expected_version, 3, "the version that it was made from");
    let rotation = RotationPolicy {
        master_key_days: 30,
        window: Some(MaintenanceWindow::default()),
        ..settings().rotation.unwrap()
    };
    let expected = SetPolicy { rotation: Some(rotation), alerts: None };
    assert_eq!(change.change, Some(Change::SetPolicy(expected)));
    out(&run_on(&[&leader], &["kms", "set-policy", "--cmk-age-alert", "off"]).await);
    let alerts = AlertPolicy { cmk_age: false, cmk_age_days: 90 };
    let expected = SetPolicy { rotation: None, alerts: Some(alerts) };
    assert_eq!(changed(&leader).change, Some(Change::SetPolicy(expected)));
}

#[tokio::test]
async fn a_region_is_a_setting_where_somebody_leads() {
    let (leader, follower) = pair().await;
    accept(&leader);
    let both = [&follower, &leader];
    let regions = |member: &FakeMember| match changed(member).change {
        Some(Change::SetRegions(set)) => set.regions,
        other => panic!("{other:?}"),
    };
    out(&run_on(&both, &["kms", "set-region", "eu-west-1", "--all"]).await);
    assert_eq!(regions(&leader), ["eu-west-1", "eu-central-1"]);
    out(&run_on(&both, &["kms", "set-region", "us-east-1"]).await);
    assert_eq!(regions(&leader), ["us-east-1", "eu-central-1", "eu-west-1"]);
    out(&run_on(&both, &["kms", "set-region", "eu-west-1", "--only"]).await);
    assert_eq!(regions(&leader), ["eu-west-1"]);
    out(&run_on(&both, &["kms", "set-region", "a-1,b-1"]).await);
    assert_eq!(regions(&leader), ["a-1", "b-1"]);
    assert_eq!(overrides(&follower), []);
    // One member by name is one member's matter.
    let text = out(&run_on(&both, &["kms", "set-region", "eu-west-1", "--member", "2"]).await);
    assert!(text.contains("uses eu-west-1\n! this is an override of single members"), "{text}");
    assert_eq!(overrides(&follower), [("eu-west-1".to_owned(), String::new())]);
}

#[tokio::test]
async fn a_region_is_an_override_where_nobody_leads() {
    let (one, two) = pair().await;
    for member in [&one, &two] {
        member.seal("KMS does not answer");
    }
    let both = [&one, &two];
    let told = out(&run_on(&both, &["kms", "set-region", "us-west-2", "--all"]).await);
    let expected = format!(
        "member 1 ({}) uses us-west-2\nmember 2 ({}) uses us-west-2\n! nobody leads: this is an override of single \
         members: the replica set's settings are as they were. It is cleared by `coffer kms clear-override`, or by the \
         next `coffer kms set-region` once the replica set has a leader\n",
        one.address, two.address
    );
    assert_eq!(told, expected);
    let sent = [("us-west-2".to_owned(), String::new())];
    assert_eq!((overrides(&one), overrides(&two)), (sent.to_vec(), sent.to_vec()));
    out(&run_on(&both, &["kms", "set-region", "us-west-2"]).await);
    assert_eq!((overrides(&one).len(), overrides(&two).len()), (1, 0));
    failed(&run_on(&both, &["kms", "set-region", "a-1,b-1"]).await, 2, "which has no leader now");

    out(&run_on(&both, &["kms", "trust", "--cmk", CMK, "--member", "2"]).await);
    assert_eq!(overrides(&two), [(String::new(), CMK.to_owned())]);
    out(&run_on(&both, &["kms", "clear-override", "--all"]).await);
    assert_eq!(overrides(&one), [(String::new(), String::new())]);

    // A single-Region key is refused with the reason.
    two.set_keys(|keys| {
        keys.over.findings = vec![KmsFinding {
            problem: "a single-Region key cannot be used in another Region".into(),
            help_code: "CK0022".into(),
            ..KmsFinding::default()
        }];
    });
    let output = run_on(&both, &["kms", "set-region", "us-west-2", "--all"]).await;
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), "coffer: 1 member refused\n".to_owned())
    );
    let shown = text(&output.stdout);
    assert!(
        shown.contains("refused:\n  ! a single-Region key cannot be used in another Region (CK0022;"),
        "{shown}"
    );
}

#[tokio::test]
async fn rotations_are_asked_for_and_waited_for() {
    let (leader, follower) = pair().await;
    let both = [&follower, &leader];
    let text = out(&run_on(&both, &["keys", "rotate-master", "--member", "2"]).await);
    assert!(text.starts_with("rotation of member 2's master key is under way (round 7)"), "{text}");
    assert_eq!(leader.key_calls(), [KeyCall::RotateMaster(RotateMasterKeyRequest { member_id: 2 })]);

    let task = |pending: Vec<u64>, working| KeyTask {
        kind: "database".into(),
        subject: "iso".into(),
        round: 3,
        done: [1, 2].into_iter().filter(|id| !pending.contains(id)).collect(),
        pending,
        working,
        percent: 40,
        ..KeyTask::default()
    };
    let work = |task: KeyTask| KeyWorkResponse { tasks: vec![task], ..KeyWorkResponse::default() };
    leader.set_keys(|keys| {
        keys.work = vec![work(task(vec![1, 2], 1)), work(task(vec![2], 2)), work(task(vec![], 0))]
    });
    let text = out(&run_on(&both, &["keys", "rotate-database", "iso", "--wait"]).await);
    assert_eq!(text, "rotation of the key of database iso is done (round 3)\n");
    let looks = leader.key_calls().iter().filter(|call| **call == KeyCall::Work).count();
    assert_eq!(looks, 3, "it looked until it was done");

    leader.set_keys(|keys| {
        keys.work = vec![KeyWorkResponse {
            tasks: vec![task(vec![2], 2)],
            members: vec![MemberKeys {
                member_id: 1,
                master_version: 4,
                cmk_arn: CMK.into(),
                ..MemberKeys::default()
            }],
            notices: vec!["do not delete or disable the old key yet: member 2 still depends on it".into()],
        }];
    });
    let text = out(&run_on(&both, &["keys", "progress"]).await);
    assert!(
        text.starts_with("new key of database iso (round 3): done on 1, under way on 2 (40 %)\n"),
        "{text}"
    );
    assert!(
        text.ends_with("! do not delete or disable the old key yet: member 2 still depends on it\n"),
        "{text}"
    );
    let result = json(&run_on(&both, &["keys", "progress", "--output", "json"]).await);
    assert_eq!(
        (&result["tasks"][0]["percent"], &result["members"][0]["master_version"]),
        (&40.into(), &4.into())
    );

    let text = out(&run_on(&both, &["keys", "defer", "--days", "7"]).await);
    assert_eq!(text, "no scheduled rotation begins before 2026-12-01T00:00:00Z\n");
    leader.key_calls();
    leader.set_keys(|keys| {
        keys.refuse = Some(failure(Code::FailedPrecondition, "REFUSED", &[("help_code", "CK0047")]));
    });
    failed(&run_on(&both, &["keys", "rotate-master"]).await, 1, "(CK0047; see `coffer explain CK0047`)");
}

#[tokio::test]
async fn keys_of_one_member_or_all_are_shown_with_their_age() {
    let (leader, follower) = pair().await;
    let key = |level: &str, id: &str, wrapped_by: &str| KeyInfo {
        level: level.into(),
        id: id.into(),
        version: 1,
        created: "2020-01-01T00:00:00Z".into(),
        wrapped_by: wrapped_by.into(),
        current: true,
        ..KeyInfo::default()
    };
    for member in [&leader, &follower] {
        member.set_hierarchy(KeysResponse {
            encryption_enabled: true,
            keys: vec![key("cmk", CMK, ""), key("master", "", CMK), key("raft", "", "master v1")],
            ..KeysResponse::default()
        });
    }
    let both = [&leader, &follower];
    let text = out(&run_on(&both, &["keys"]).await);
    assert!(text.contains("member 1 (") && text.contains("member 2 ("), "{text}");
    assert!(text.contains("raft key v1, current, made 2020-01-01T00:00:00Z ("), "{text}");
    assert!(
        text.contains("d ago), wrapped by master v1") || text.contains("h ago), wrapped by master v1"),
        "{text}"
    );
    let text = out(&run_on(&both, &["keys", "--member", "2"]).await);
    assert!(!text.contains("member 1 (") && text.contains("member 2 ("), "{text}");
    failed(&run_on(&both, &["keys", "--member", "9"]).await, 3, "no endpoint is known to be member 9");
}

#[tokio::test]
async fn encryption_is_turned_on_and_off() {
    let (leader, _follower) = pair().await;
    let text = out(&run_on(&[&leader], &["encryption", "enable"]).await);
    assert!(text.contains("sealed, one after the other (round 2)"), "{text}");
    let text = out(&run_on(&[&leader], &["encryption", "disable", "--yes", "--wait"]).await);
    assert_eq!(text, "the data of every member is in the clear\n");
    let sent: Vec<_> = leader.key_calls().into_iter().filter(|call| *call != KeyCall::Work).collect();
    let call = |enabled| KeyCall::SetEncryption(SetEncryptionRequest { enabled });
    assert_eq!(sent, [call(true), call(false)]);
    leader.set_keys(|keys| {
        let member = |member_id, encryption_enabled| MemberKeys {
            member_id,
            encryption_enabled,
            ..MemberKeys::default()
        };
        let task = KeyTask {
            kind: "encryption".into(),
            subject: "on".into(),
            round: 2,
            done: vec![1],
            pending: vec![2],
            waiting_for: "member 2 does not answer".into(),
            ..KeyTask::default()
        };
        keys.work = vec![KeyWorkResponse {
            tasks: vec![task],
            members: vec![member(1, true), member(2, false)],
            notices: vec![],
        }];
    });
    let text = out(&run_on(&[&leader], &["encryption", "status"]).await);
    assert!(text.contains("sealed") && text.contains("in the clear"), "{text}");
    assert!(
        text.contains("encryption on (round 2): done on 1, still to do on 2\n  ! it waits: member 2"),
        "{text}"
    );
}

#[tokio::test]
async fn alerts_are_shown_and_acknowledged() {
    let (leader, follower) = pair().await;
    let both = [&follower, &leader];
    assert!(text(&run_on(&both, &["alerts"]).await.stdout).contains("no alerts"));
    let alert = Alert {
        id: "2/failed_over/".into(),
        kind: "failed_over".into(),
        severity: AlertSeverity::Warning.into(),
        help_code: "CK0010".into(),
        member_id: 2,
        text: "failed over to eu-west-1".into(),
        raised: "2026-11-24T10:00:00Z".into(),
        ..Alert::default()
    };
    // A sealed member's alerts are its own.
    follower.seal("KMS does not answer");
    follower.set_keys(|keys| keys.alerts.alerts = vec![alert.clone()]);
    leader.set_keys(|keys| keys.alerts.complete = true);
    let shown = out(&run_on(&both, &["alerts"]).await);
    assert!(shown.contains("2/failed_over/") && shown.contains("warning"), "{shown}");
    assert!(shown.contains("failed over to eu-west-1 (CK0010; see `coffer explain CK0010`)"), "{shown}");
    let result = json(&run_on(&both, &["alerts", "--history", "--output", "json"]).await);
    assert_eq!((&result["complete"], &result["alerts"][0]["kind"]), (&value!(true), &value!("failed_over")));
    assert!(leader.key_calls().contains(&KeyCall::Alerts(AlertsRequest { history: true })));

    // The leader does not know it; the member does.
    let text = out(&run_on(&both, &["alerts", "ack", "2/failed_over/", "--by", "kim"]).await);
    assert_eq!(text, "2/failed_over/ is acknowledged by kim\n");
    failed(
        &run_on(&both, &["alerts", "ack", "9/nothing/", "--by", "kim"]).await,
        1,
        "did not acknowledge it",
    );
}

#[tokio::test]
async fn an_audit_log_that_does_not_verify_ends_with_1() {
    let (leader, follower) = pair().await;
    let both = [&leader, &follower];
    leader.set_keys(|keys| {
        keys.audit.lines = 1200;
        keys.audit.first = "2026-11-01T00:00:00Z".into();
        keys.audit.last = "2026-11-24T00:00:00Z".into();
        keys.audit.replicated_line = 1190;
    });
    follower.set_keys(|keys| {
        keys.audit.valid = false;
        keys.audit.problems = vec!["audit/0001.jsonl:7: the chain is broken".into()];
    });
    let shown = out(&run_on(&both, &["audit", "verify"]).await);
    assert_eq!(
        shown,
        format!(
            "member 1 ({}): its audit log verifies: 1,200 lines from 2026-11-01T00:00:00Z to 2026-11-24T00:00:00Z; the \
             replica set remembers it through line 1,190\n",
            leader.address
        )
    );
    let output = run_on(&both, &["audit", "verify", "--all"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("! audit/0001.jsonl:7: the chain is broken"));
    assert!(text(&output.stderr).contains("the audit log of member 2 does not verify (CK0053;"));
    // One that could not be checked is not one that verifies.
    follower.set_keys(|keys| keys.audit.valid = true);
    let gone = run_with_gone(&leader).await;
    assert_eq!(gone.status.code(), Some(3), "{}", text(&gone.stderr));
}

/// `audit verify --all` where one endpoint is not there.
async fn run_with_gone(member: &FakeMember) -> Output {
    let endpoints = format!("{},127.0.0.1:1", member.address);
    tokio::task::spawn_blocking(move || run_with(&endpoints, &["audit", "verify", "--all"], ""))
        .await
        .unwrap()
}

#[test]
fn policies_are_printed_before_there_is_a_replica_set() {
    let role = "arn:aws:iam::444455556666:role/coffer";
    let policy = ["kms", "policy", "--cmk", CMK, "--region", "eu-central-1,eu-west-1", "--role", role];
    let more = ["--external-id", "acme", "--source-ip", "203.0.113.7"];
    let arguments: Vec<&str> = policy.iter().chain(&more).copied().collect();
    let shown = out(&run_with("127.0.0.1:1", &arguments, ""));
    let titles: Vec<&str> = shown.lines().filter(|line| line.starts_with("# ")).collect();
    assert_eq!(
        titles,
        [
            "# IAM policy of arn:aws:iam::444455556666:role/coffer: it may use the key",
            "# IAM policy of arn:aws:iam::444455556666:root: it may assume the role",
            "# trust policy of arn:aws:iam::444455556666:role/coffer: who may assume it",
            "# statement for the policy of the key",
        ]
    );
    let arguments: Vec<&str> = arguments.into_iter().chain(["--output", "json"]).collect();
    let result = json(&run_with("127.0.0.1:1", &arguments, ""));
    let condition = &result["trust"]["Statement"][0]["Condition"];
    assert_eq!(condition["StringEquals"]["sts:ExternalId"], value!(["acme"]));
    assert_eq!(condition["IpAddress"]["aws:SourceIp"], value!(["203.0.113.7/32"]));
    assert_eq!(
        result["key_use"]["Statement"][0]["Resource"],
        value!([CMK, CMK.replace("eu-central-1", "eu-west-1")])
    );
    assert_eq!(result["key_statement"]["Principal"]["AWS"], role);
}

#[tokio::test]
async fn policies_are_made_of_the_settings_and_the_members_addresses() {
    let (leader, follower) = pair().await;
    leader.set_keys(|keys| {
        let set = KmsSettings { role_arn: ROLE.into(), external_id: "set-7".into(), ..settings() };
        keys.show.settings = Some(set);
    });
    let policy = ["kms", "policy", "--account", "444455556666", "--source-ip", "--output", "json"];
    let result = json(&run_on(&[&leader, &follower], &policy).await);
    let statement = &result["trust"]["Statement"][0];
    assert_eq!(statement["Condition"]["StringEquals"]["sts:ExternalId"], value!(["set-7"]));
    assert_eq!(statement["Principal"]["AWS"], "arn:aws:iam::444455556666:root");
    assert_eq!(statement["Condition"]["IpAddress"]["aws:SourceIp"], value!(["127.0.0.1/32"]));
    assert_eq!(result["key_statement"], Value::Null);
    assert!(result["notes"].to_string().contains("private address"), "{}", result["notes"]);
}

#[test]
fn every_code_is_explained() {
    let page = out(&run_with("127.0.0.1:1", &["explain", "ck0034"], ""));
    assert!(page.starts_with("# CK0034: ") && page.contains("## What to do"), "{page}");
    let list = out(&run_with("127.0.0.1:1", &["explain"], ""));
    assert!(list.contains("CK0001") && list.contains("CK0055"), "{list}");
    let result = json(&run_with("127.0.0.1:1", &["explain", "CK0023", "--output", "json"], ""));
    assert_eq!(result["slug"], "not-an-arn");
}

#[tokio::test]
async fn status_tells_how_each_member_stands_with_the_key() {
    let member = FakeMember::start(1).await;
    member.seal("the key is disabled");
    member.set_status(|status| {
        status.help_code = "CK0001".into();
        status.encryption = Some(EncryptionStatus {
            enabled: true,
            verdict: "denied".into(),
            denied_in_a_row: 3,
            last_error_code: "DisabledException".into(),
            help_code: "CK0001".into(),
            next_probe_ms: 4200,
            region: "eu-central-1".into(),
            home_region: "eu-central-1".into(),
            ..EncryptionStatus::default()
        });
    });
    let output = run(&member, &["status"]).await;
    assert_eq!(output.status.code(), Some(3));
    let shown = text(&output.stdout);
    for part in ["denied ×3", "DisabledException (CK0001)", "in 5s"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        shown.contains("! member 1: sealed: the key is disabled (CK0001; see `coffer explain CK0001`)"),
        "{shown}"
    );
}
