//! The settings of the customer's key: how they begin, how they are changed, and what refuses a change.

use coffer_keyring::kms::Region;
use coffer_keyring::kms::local::LocalKmsAdmin;
use coffer_keyring::{ClusterId, MemberId, SealedKeystore};
use coffer_proto::internal::v1::{CheckKmsRequest, KeyTargetsRecord};
use coffer_proto::v1::{
    self, AddMemberRequest, KmsChangeRequest, KmsChangeResponse, KmsShowRequest, SetCmk, SetPolicy,
    SetRegions, SetRole, TransferLeaderRequest, kms_change_request::Change,
};
use coffer_proto::wire::reason as reasons;
use coffer_storage::SystemKind;
use prost::Message;
use tonic::Code;

use super::{ReplicaSet, limits, reason, replica_set::TestMember, until};
use crate::config::{Config, EncryptionSection, Provider};
use crate::key::KeyAccess;
use crate::key_settings::{KeySettings, check_kms};
use crate::member::{Member, MemberIdentity, MemberState};
use crate::system_records::{Expect, put};

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn set_regions(names: &[&str]) -> Change {
    Change::SetRegions(SetRegions { regions: names.iter().map(|name| (*name).to_owned()).collect() })
}

fn set_cmk(arn: &str) -> Change {
    Change::SetCmk(SetCmk { cmk_arn: arn.to_owned(), regions: Vec::new() })
}

fn set_policy(cmk_age_days: u32) -> Change {
    let alerts = Some(v1::AlertPolicy { cmk_age: true, cmk_age_days });
    Change::SetPolicy(SetPolicy { rotation: None, alerts })
}

fn request(change: Change) -> KmsChangeRequest {
    KmsChangeRequest { change: Some(change), ..KmsChangeRequest::default() }
}

async fn ask(set: &ReplicaSet, request: KmsChangeRequest) -> KmsChangeResponse {
    set.leader().await.key_admin().kms_change(request).await.unwrap().into_inner()
}

/// Waits until every member has settings of this version in force and in its keystore.
async fn adopted(set: &ReplicaSet, version: u64) {
    until("settings in force everywhere", || async { set.members.iter().all(|member| has(member, version)) })
        .await;
}

fn has(member: &TestMember, version: u64) -> bool {
    let cached =
        member.serving().keyring.settings().map(|bytes| KeySettings::decode(&bytes).unwrap().version());
    member.member.key().settings().version == version && cached == Some(version)
}

/// The codes that each member found, warnings aside.
fn codes(answer: &KmsChangeResponse) -> Vec<(u64, Vec<&str>)> {
    answer.members.iter().map(|member| (member.member_id, errors(member))).collect()
}

fn errors(member: &v1::MemberFindings) -> Vec<&str> {
    let errors = member.findings.iter().filter(|finding| !finding.warning);
    errors.map(|finding| finding.help_code.as_str()).collect()
}

fn version(answer: &KmsChangeResponse) -> u64 {
    answer.settings.as_ref().unwrap().version
}

/// A replica set with the first settings in force.
async fn start() -> ReplicaSet {
    let set = ReplicaSet::start_keyed().await;
    adopted(&set, 1).await;
    set
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_force_everywhere_and_survives_leaders_and_restarts() {
    let mut set = start().await;
    let answer = ask(&set, request(set_regions(&["eu-west-1", "eu-central-1"]))).await;
    assert!(answer.accepted, "{answer:?}");
    assert_eq!((version(&answer), codes(&answer)), (2, vec![(1, vec![]), (2, vec![]), (3, vec![])]));
    adopted(&set, 2).await;
    for member in &set.members {
        assert_eq!(member.member.key().home(), Some(region("eu-west-1")));
    }
    // A new leader goes on from there.
    let follower = set.follower().await;
    let to = TransferLeaderRequest { to: follower.id };
    set.leader().await.admin().transfer_leader(to).await.unwrap();
    let answer = ask(&set, request(set_policy(7))).await;
    assert_eq!((answer.accepted, version(&answer)), (true, 3));
    assert_eq!(answer.members, [], "a policy is nothing to KMS");
    adopted(&set, 3).await;
    // What a member starts with next time is what it had, before it hears of its peers.
    let restarted = set.follower().await.id;
    let address = set.stop_process(restarted).await;
    let path = set.keystore(restarted);
    let sealed = SealedKeystore::open(&path, &set.cluster, MemberId(restarted)).unwrap().unwrap();
    let cached = KeySettings::decode(sealed.settings().unwrap()).unwrap();
    assert_eq!((cached.version(), cached.home().as_str()), (3, "eu-west-1"));
    set.restart_process(restarted, &address).await;
    adopted(&set, 3).await;
    let shown = set.member(restarted).key_admin().kms_show(KmsShowRequest {}).await.unwrap().into_inner();
    let settings = shown.settings.unwrap();
    assert_eq!(
        (settings.version, settings.regions),
        (3, vec!["eu-west-1".to_owned(), "eu-central-1".to_owned()])
    );
    assert_eq!((shown.active_region.as_str(), shown.provider.as_str()), ("eu-west-1", "local"));
    assert!(!settings.changed.is_empty());
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_tried_by_all_and_has_them_make_new_master_keys() {
    let set = start().await;
    let admin = set.kms_admin();
    let new = admin.create(&region("eu-central-1"), false).unwrap();
    admin.disable(&new).unwrap();
    let answer = ask(&set, request(set_cmk(&new.to_string()))).await;
    assert!(!answer.accepted);
    assert_eq!(codes(&answer), [(1, vec!["CK0001"]), (2, vec!["CK0001"]), (3, vec!["CK0001"])]);
    assert_eq!(version(&answer), 1, "what holds now");
    admin.enable(&new).unwrap();
    let tried = KmsChangeRequest { validate_only: true, ..request(set_cmk(&new.to_string())) };
    let answer = ask(&set, tried).await;
    assert_eq!((answer.accepted, version(&answer)), (true, 1), "a try changes nothing");
    assert!(set.leader().await.serving().engine.system_record(SystemKind::Targets, "").unwrap().is_none());

    let answer = ask(&set, request(set_cmk(&new.to_string()))).await;
    assert_eq!((answer.accepted, version(&answer)), (true, 2));
    let record = set.leader().await.serving().engine.system_record(SystemKind::Targets, "").unwrap().unwrap();
    let targets = KeyTargetsRecord::decode(record.value).unwrap();
    assert_eq!(targets.old_cmk_arns, [set.cmk().to_string()]);
    assert!(targets.master_round > 0 && targets.cmk_requested_ms > 0);
    // The same again changes nothing more.
    let answer = ask(&set, request(set_cmk(&new.to_string()))).await;
    assert_eq!((answer.accepted, version(&answer)), (true, 2));
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_refused_with_all_that_is_wrong() {
    let set = start().await;
    // What is wrong with the request itself needs nobody to be asked.
    let bare = set.cmk().id().to_owned();
    let answer = ask(&set, request(set_cmk(&bare))).await;
    assert!(!answer.accepted && answer.members.is_empty());
    assert_eq!(answer.findings[0].help_code, "CK0023");
    // A Region without a replica, and one that is out: said by every member.
    set.kms_admin().outage(&region("eu-west-1")).unwrap();
    let answer = ask(&set, request(set_regions(&["eu-central-1", "us-west-2", "eu-west-1"]))).await;
    assert!(!answer.accepted);
    assert_eq!(codes(&answer), [(1, vec!["CK0024"]), (2, vec!["CK0024"]), (3, vec!["CK0024"])]);
    for member in &answer.members {
        let regions: Vec<_> = member.findings.iter().map(|finding| finding.region.as_str()).collect();
        assert!(regions.contains(&"us-west-2") && regions.contains(&"eu-west-1"), "{member:?}");
    }
    // Such a Region cannot be home, as long as it is out.
    let answer = ask(&set, request(set_regions(&["eu-west-1"]))).await;
    assert_eq!(codes(&answer), [(1, vec!["CK0010"]), (2, vec!["CK0010"]), (3, vec!["CK0010"])]);
    let role = Change::SetRole(SetRole {
        role_arn: "arn:aws:iam::111122223333:role/coffer".to_owned(),
        external_id: String::new(),
    });
    let answer = ask(&set, request(role)).await;
    assert!(!answer.accepted);
    assert_eq!(codes(&answer)[0], (1, vec!["CK0027"]), "the local provider has no roles");
    adopted(&set, 1).await;
    // With nothing to be changed, what is current is tried.
    let answer = ask(&set, KmsChangeRequest { validate_only: true, ..KmsChangeRequest::default() }).await;
    assert!(answer.accepted, "{answer:?}");
    set.kms_admin().disable(set.cmk()).unwrap();
    let answer = ask(&set, KmsChangeRequest { validate_only: true, ..KmsChangeRequest::default() }).await;
    assert!(!answer.accepted);
    assert_eq!(answer.members.len(), 3);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_settings_that_changed_meanwhile_is_refused() {
    let set = start().await;
    let at = |version| KmsChangeRequest { expected_version: version, ..request(set_policy(30)) };
    let answer = ask(&set, at(7)).await;
    assert!(!answer.accepted);
    assert_eq!(answer.findings[0].help_code, "CK0044");
    assert!(ask(&set, at(1)).await.accepted);
    let again = KmsChangeRequest { expected_version: 1, ..request(set_policy(31)) };
    assert!(!ask(&set, again).await.accepted);
    // Several at once: each one that is accepted has a version of its own.
    let leader = set.leader().await;
    let calls = (40..45).map(|days| {
        let mut client = leader.key_admin();
        async move { client.kms_change(request(set_policy(days))).await.unwrap().into_inner() }
    });
    let mut versions: Vec<_> = futures::future::join_all(calls).await.iter().map(version).collect();
    versions.sort_unstable();
    assert_eq!(versions, [3, 4, 5, 6, 7]);
    adopted(&set, 7).await;
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_another_replaced_during_the_tries_are_not_replaced_again() {
    let set = start().await;
    let leader = set.leader().await;
    // Somebody who writes the record all the time, as a leader of a moment ago would.
    let serving = leader.serving();
    let writer = tokio::spawn(async move {
        let bytes = serving.engine.system_record(SystemKind::Settings, "").unwrap().unwrap().value;
        loop {
            let kind = SystemKind::Settings.number();
            put(&serving.raft, kind, "", Expect::Anything, bytes.to_vec(), super::PATIENCE).await.unwrap();
        }
    });
    until("a change that is too late", || async {
        let answer = ask(&set, request(set_regions(&["eu-west-1", "eu-central-1"]))).await;
        let late = answer.findings.iter().any(|finding| finding.help_code == "CK0044");
        assert_ne!(answer.accepted, late, "{answer:?}");
        late
    })
    .await;
    writer.abort();
    // Its place is free when it has ended.
    drop(writer.await);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_learner_tries_settings_too() {
    let mut set = start().await;
    let address = set.add_process(4).await.address.clone();
    set.leader().await.admin().add_member(AddMemberRequest { id: 4, address }).await.unwrap();
    until("a learner that follows", || async { has(set.member(4), 1) }).await;
    let answer = ask(&set, request(set_regions(&["eu-central-1", "eu-west-1"]))).await;
    assert!(answer.accepted, "{answer:?}");
    assert_eq!(codes(&answer).last(), Some(&(4, vec![])));
    adopted(&set, 2).await;
    set.stop().await;
}

#[tokio::test]
async fn a_sealed_member_tries_settings() {
    let folder = tempfile::tempdir().unwrap();
    let admin = LocalKmsAdmin::new(folder.path());
    let cmk = admin.create(&region("eu-central-1"), false).unwrap();
    let encryption = EncryptionSection {
        provider: Provider::Local,
        cmk_arn: cmk.to_string(),
        local_dir: folder.path().to_owned(),
        ..EncryptionSection::default()
    };
    let identity = MemberIdentity {
        cluster_id: ClusterId::generate(),
        member_id: MemberId(1),
        address: "127.0.0.1:27101".to_owned(),
    };
    let member = Member::new(identity, limits(), KeyAccess::new(&encryption, MemberId(1)).unwrap());
    member.enter(MemberState::Sealed, "the key is disabled");
    let settings = Config { encryption, ..Config::default() }.key_settings().unwrap().to_record();
    let request = CheckKmsRequest { settings: Some(settings), current: None };
    assert_eq!(check_kms(&member, &request).await, []);
    admin.disable(&cmk).unwrap();
    let found = check_kms(&member, &request).await;
    assert!(found.iter().any(|finding| finding.help_code == "CK0001" && !finding.warning), "{found:?}");
    let none = check_kms(&member, &CheckKmsRequest::default()).await;
    assert_eq!(none.len(), 1, "{none:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_member_has_to_be_allowed() {
    let mut set = start().await;
    let absent = set.follower().await.id;
    let address = set.stop_process(absent).await;
    let change = request(set_regions(&["eu-central-1", "eu-west-1"]));
    let answer = ask(&set, change.clone()).await;
    assert!(!answer.accepted);
    for member in &answer.members {
        assert_eq!(member.absent, member.member_id == absent, "{member:?}");
        let found: Vec<_> = member.findings.iter().map(|finding| finding.help_code.as_str()).collect();
        assert_eq!(found, if member.absent { vec!["CK0043"] } else { vec![] });
    }
    let answer = ask(&set, KmsChangeRequest { allow_absent: vec![absent], ..change }).await;
    assert!(answer.accepted, "{answer:?}");
    assert!(answer.members.iter().any(|member| member.absent && member.findings[0].warning), "it is said");
    // It hears of them when it is back.
    set.restart_process(absent, &address).await;
    adopted(&set, 2).await;
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_could_save_the_key_is_changed_under_a_pending_denial() {
    let set = start().await;
    let denied = set.follower().await;
    denied.member.key().remember_denials(&[region("eu-central-1")].into());
    let change = request(set_regions(&["eu-west-1", "eu-central-1"]));
    let answer = ask(&set, change.clone()).await;
    assert!(!answer.accepted);
    for (member, codes) in codes(&answer) {
        assert_eq!(codes, if member == denied.id { vec!["CK0034"] } else { vec![] });
    }
    // The policy is none of that.
    assert!(ask(&set, request(set_policy(30))).await.accepted);
    denied.member.key().remember_denials(&[].into());
    assert!(ask(&set, change).await.accepted);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_no_probe_has_seen_yet_is_not_outlived_by_a_change() {
    let set = start().await;
    for member in &set.members {
        member.member.key().rewrapped(member.serving().keyring.wrap_info().unwrap());
    }
    // Home would be left, and is not among what the change itself tries.
    let leave = request(set_regions(&["eu-west-1"]));
    set.kms_admin().disable(set.cmk()).unwrap();
    let answer = ask(&set, leave.clone()).await;
    assert!(!answer.accepted, "{answer:?}");
    assert_eq!(codes(&answer), [(1, vec!["CK0034"]), (2, vec!["CK0034"]), (3, vec!["CK0034"])]);
    // An outage there is a reason to leave.
    set.kms_admin().enable(set.cmk()).unwrap();
    set.kms_admin().outage(&region("eu-central-1")).unwrap();
    assert!(ask(&set, leave).await.accepted);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_leader_changes_settings() {
    let set = start().await;
    let follower = set.follower().await;
    let status = follower.key_admin().kms_change(request(set_policy(30))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).0.as_str()), (Code::Unavailable, reasons::NOT_LEADER));
    set.stop().await;
}
