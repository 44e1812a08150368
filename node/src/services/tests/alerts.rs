//! Alerts and audit logs of a replica set.

use std::{collections::BTreeSet, fs, time::Duration};

use coffer_keyring::audit::{AuditAction, AuditEvent};
use coffer_proto::{
    internal::v1::MemberKeysRecord,
    v1::{AcknowledgeAlertRequest, Alert, AlertsRequest, StatusRequest, VerifyAuditRequest},
    wire::reason as reasons,
};
use tonic::Code;

use super::{ReplicaSet, reason, replica_set::TestMember};
use crate::{
    alerts::{self, AlertKind},
    audit,
};

/// What a member reports to its leader of alerts and audit.
fn report(member: &TestMember) -> MemberKeysRecord {
    let head = member.member.audit().head();
    MemberKeysRecord {
        member_id: member.id,
        alerts: member.member.alerts().open(),
        audit_lines: head.lines,
        audit_head: head.hash.to_vec().into(),
        ..MemberKeysRecord::default()
    }
}

/// One turn of the leader, with the reports of all.
async fn turn(set: &ReplicaSet) -> u64 {
    let leader = set.leader().await;
    let reports: Vec<_> = set.members.iter().map(report).collect();
    let members: BTreeSet<_> = set.members.iter().map(|member| member.id).collect();
    alerts::keep(&leader.serving(), leader.id, &members, &reports).await.unwrap();
    audit::keep_heads(&leader.member, &leader.serving(), &reports).await.unwrap();
    set.applied_everywhere(leader.last_index()).await;
    leader.id
}

async fn alerts_of(member: &TestMember, history: bool) -> Vec<Alert> {
    let answer = member.key_admin().alerts(AlertsRequest { history }).await.unwrap().into_inner();
    assert_eq!((answer.member_id, answer.complete), (member.id, true));
    answer.alerts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_of_one_member_is_known_to_all_and_acknowledged_at_the_leader() {
    let set = ReplicaSet::start().await;
    let follower = set.follower().await;
    follower.member.alerts().raise(AlertKind::FailedOver, "eu-west-1", "home does not answer");
    let own = alerts_of(follower, false).await;
    assert_eq!((own.len(), own[0].kind.as_str(), own[0].help_code.as_str()), (1, "failed_over", "CK0010"));
    let status = follower.admin().status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.alerts, own);
    let leader = turn(&set).await;
    for member in &set.members {
        assert_eq!(alerts_of(member, false).await, own, "member {}", member.id);
    }

    let id = own[0].id.clone();
    let seen = |id: &str| AcknowledgeAlertRequest { id: id.to_owned(), by: "ada".to_owned() };
    let elsewhere = follower.key_admin().acknowledge_alert(seen(&id)).await.unwrap_err();
    assert_eq!(reason(&elsewhere).0, reasons::NOT_LEADER);
    let leader = set.member(leader);
    let unknown = leader.key_admin().acknowledge_alert(seen("1/nothing")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
    let nobody = AcknowledgeAlertRequest { id: id.clone(), by: String::new() };
    assert_eq!(leader.key_admin().acknowledge_alert(nobody).await.unwrap_err().code(), Code::InvalidArgument);
    let answer = leader.key_admin().acknowledge_alert(seen(&id)).await.unwrap().into_inner();
    assert_eq!(answer.alert.unwrap().acknowledged_by, "ada");
    set.applied_everywhere(leader.last_index()).await;
    for member in &set.members {
        assert_eq!(alerts_of(member, false).await[0].acknowledged_by, "ada", "member {}", member.id);
    }

    follower.member.alerts().resolve(AlertKind::FailedOver, "eu-west-1");
    turn(&set).await;
    for member in &set.members {
        assert_eq!(alerts_of(member, false).await, []);
        let over = alerts_of(member, true).await;
        assert_eq!((over.len(), over[0].id.as_str()), (1, id.as_str()));
        assert!(!over[0].resolved.is_empty() && over[0].acknowledged_by == "ada");
    }
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_verified_against_what_the_replica_set_remembers() {
    let set = ReplicaSet::start().await;
    let follower = set.follower().await;
    let folder = tempfile::tempdir().unwrap();
    let audit = follower.member.audit();
    audit.open(folder.path());
    let region = |n: u32| AuditAction::Unsealed { region: format!("eu-central-{n}") };
    for n in 0..3 {
        audit.record(AuditEvent::new(region(n)));
    }
    super::until("the events are written", || async { audit.head().lines == 3 }).await;
    turn(&set).await;
    let verify = || async { follower.key_admin().verify_audit(VerifyAuditRequest {}).await };
    let sound = verify().await.unwrap().into_inner();
    assert!(sound.valid && sound.problems.is_empty(), "{:?}", sound.problems);
    assert_eq!((sound.member_id, sound.lines, sound.replicated_line), (follower.id, 3, 3));
    assert!(!sound.first.is_empty() && !sound.last.is_empty());

    // A line is changed: the log itself shows it, and so does what is remembered.
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("eu-central-2", "eu-central-9")).unwrap();
    let changed = verify().await.unwrap().into_inner();
    assert!(!changed.valid && !changed.problems.is_empty());
    let alert = alerts_of(follower, false).await;
    assert_eq!((alert[0].kind.as_str(), alert[0].help_code.as_str()), ("audit", "CK0053"));
    fs::write(&file, text).unwrap();
    assert!(verify().await.unwrap().into_inner().valid);
    assert_eq!(alerts_of(follower, false).await, []);

    // A member whose log is shorter than it was is noticed by the leader.
    let leader = set.leader().await;
    let shorter = MemberKeysRecord { audit_lines: 2, audit_head: vec![1; 32].into(), ..report(follower) };
    audit::keep_heads(&leader.member, &leader.serving(), &[shorter]).await.unwrap();
    let told = leader.member.alerts().open();
    assert!(told.iter().any(|alert| alert.member_id == 0 && alert.kind == "audit"), "{told:?}");
    audit.close(Duration::from_secs(30)).await;
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_log_there_is_nothing_to_verify() {
    let set = ReplicaSet::start().await;
    let refused = set.member(1).key_admin().verify_audit(VerifyAuditRequest {}).await.unwrap_err();
    assert!(refused.message().contains("could not be opened"), "{refused}");
    set.stop().await;
}
