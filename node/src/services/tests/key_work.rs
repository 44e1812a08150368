//! Keys are rotated member by member, whatever happens to members and leaders meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bson::doc;
use coffer_keyring::kms::Region;
use coffer_proto::v1::kms_change_request::Change;
use coffer_proto::v1::{
    CountRequest, DeferRotationRequest, DropDatabaseRequest, KeyTask, KeyWorkRequest, KeyWorkResponse,
    KeysRequest, KmsChangeRequest, RotateDatabaseKeyRequest, RotateMasterKeyRequest, RotationPolicy, SetCmk,
    SetEncryptionRequest, SetPolicy, StatusRequest, TransferLeaderRequest,
};
use coffer_proto::wire::reason as reasons;
use coffer_storage::SystemKind;
use tonic::Code;

use super::{ReplicaSet, TestMember, insert, reason, until};
use crate::services::now_ms;

/// Three members that work on their keys, and have settings.
async fn start() -> ReplicaSet {
    let set = ReplicaSet::start_working().await;
    until("the first settings", || async {
        set.members.iter().all(|member| member.member.key().settings().version == 1)
    })
    .await;
    set
}

async fn key_work(set: &ReplicaSet) -> KeyWorkResponse {
    loop {
        // Leadership may have gone somewhere else between the two lines.
        let leader = set.leader().await;
        if let Ok(work) = leader.key_admin().key_work(KeyWorkRequest {}).await {
            return work.into_inner();
        }
    }
}

async fn task(set: &ReplicaSet, kind: &str) -> Option<KeyTask> {
    key_work(set).await.tasks.into_iter().find(|task| task.kind == kind)
}

async fn all_done(set: &ReplicaSet, kind: &str) {
    until("everybody is done", || async { task(set, kind).await.is_none_or(|task| task.pending.is_empty()) })
        .await;
}

/// Waits until the leader has written down what every member said.
async fn all_kept(set: &ReplicaSet) {
    until("every report is kept", || async {
        let engine = set.leader().await.serving().engine.clone();
        engine.system_records(SystemKind::MemberKeys).unwrap().len() == set.members.len()
    })
    .await;
}

fn master_version(member: &TestMember) -> u32 {
    member.serving().keyring.wrap_info().unwrap().version.0
}

/// Writes all the time, until it is stopped; a call that fails ends it.
struct Load {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Result<(), tonic::Status>>,
}

impl Load {
    fn on(member: &TestMember) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut documents = member.documents();
        let task = tokio::spawn({
            let (stop, written) = (stop.clone(), written.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    documents.insert(insert("rows", [doc! {}])).await?;
                    written.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }
        });
        Self { stop, written, task }
    }

    /// How many documents it wrote.
    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap().unwrap();
        self.written.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn master_keys_are_rotated_on_every_member_and_no_call_fails() {
    let set = start().await;
    let leader = set.leader().await;
    let load = Load::on(leader);
    let before: Vec<_> = set.members.iter().map(master_version).collect();
    assert_eq!(before, [1, 1, 1]);
    let asked = leader.key_admin().rotate_master_key(RotateMasterKeyRequest::default()).await;
    let round = asked.unwrap().into_inner().round;
    assert_eq!(round, 1);
    all_done(&set, "master").await;
    let done = task(&set, "master").await.unwrap();
    assert_eq!((done.round, done.done.as_slice()), (round, [1, 2, 3].as_slice()));
    let written = load.end().await;
    assert!(written > 0);
    for member in &set.members {
        let keyring = member.serving().keyring.clone();
        assert_eq!((master_version(member), keyring.master_round()), (2, round), "member {}", member.id);
        assert_eq!(keyring.report().masters.len(), 1, "the old one is gone");
        let keystore = std::fs::read_to_string(set.keystore(member.id)).unwrap();
        assert!(!keystore.contains("\"version\": 1,\n        \"created\""));
    }
    let keys = leader.admin().keys(KeysRequest {}).await.unwrap().into_inner().keys;
    assert!(keys.iter().filter(|key| key.level == "database").all(|key| key.wrapped_by == "master v2"));
    let count = CountRequest {
        database: "shop".to_owned(),
        collection: "rows".to_owned(),
        ..CountRequest::default()
    };
    assert_eq!(leader.documents().count(count).await.unwrap().into_inner().count, written);

    // One member alone.
    let one = RotateMasterKeyRequest { member_id: 2 };
    leader.key_admin().rotate_master_key(one).await.unwrap();
    until("member 2 has another master key", || async { master_version(set.member(2)) == 3 }).await;
    all_done(&set, "master").await;
    assert_eq!((master_version(set.member(1)), master_version(set.member(3))), (2, 2));
    let nobody = leader.key_admin().rotate_master_key(RotateMasterKeyRequest { member_id: 9 }).await;
    assert_eq!(nobody.unwrap_err().code(), Code::FailedPrecondition);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_away_follows_when_it_is_back_and_a_new_leader_goes_on() {
    let mut set = start().await;
    let away = set.follower().await.id;
    all_kept(&set).await;
    let address = set.stop_process(away).await;
    let leader = set.leader().await;
    leader.key_admin().rotate_master_key(RotateMasterKeyRequest::default()).await.unwrap();
    until("the others are done", || async {
        task(&set, "master").await.is_some_and(|task| task.pending == [away])
    })
    .await;
    let waiting = task(&set, "master").await.unwrap();
    assert_eq!(waiting.waiting_for, format!("member {away} does not answer"));
    let view = key_work(&set).await.members.into_iter().find(|member| member.member_id == away).unwrap();
    assert_eq!((view.reachable, view.master_version), (false, 1), "what it said last is kept");

    let leader = set.leader().await;
    let old = leader.id;
    leader.admin().transfer_leader(TransferLeaderRequest { to: 0 }).await.unwrap();
    until("another member leads", || async { set.leader().await.id != old }).await;
    let work = key_work(&set).await;
    assert_eq!(work.tasks[0].pending, [away], "the new leader knows as much");
    set.restart_process(away, &address).await;
    all_done(&set, "master").await;
    assert_eq!(master_version(set.member(away)), 2);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_that_goes_round_in_the_middle_stops_nothing() {
    let set = start().await;
    let leader = set.leader().await;
    leader.key_admin().rotate_master_key(RotateMasterKeyRequest::default()).await.unwrap();
    for _ in 0..3 {
        let leader = set.leader().await;
        // It may have lost leadership by itself.
        drop(leader.admin().transfer_leader(TransferLeaderRequest { to: 0 }).await);
    }
    all_done(&set, "master").await;
    let versions: Vec<_> = set.members.iter().map(master_version).collect();
    // An order whose answer was lost is not given twice: its round is done.
    assert_eq!(versions, [2, 2, 2]);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_customer_key_is_named_until_the_last_member_is_off_it() {
    let mut set = start().await;
    let old = set.cmk.clone();
    let new = set.kms_admin().create(&Region::parse("eu-west-1").unwrap(), false).unwrap();
    let away = set.follower().await.id;
    all_kept(&set).await;
    let address = set.stop_process(away).await;
    let leader = set.leader().await;
    // The Region of the old key is not needed: the master keys are in memory.
    set.kms_admin().outage(old.region()).unwrap();
    let change = Change::SetCmk(SetCmk { cmk_arn: new.to_string(), regions: Vec::new() });
    let change =
        KmsChangeRequest { change: Some(change), allow_absent: vec![away], ..KmsChangeRequest::default() };
    let answer = leader.key_admin().kms_change(change).await.unwrap().into_inner();
    assert!(answer.accepted, "{answer:?}");
    until("the others are done", || async {
        task(&set, "cmk").await.is_some_and(|task| task.pending == [away])
    })
    .await;
    let notice = format!(
        "do not delete or disable the old key yet: member {away} still depends on it ({old}; CK0041)"
    );
    assert_eq!(key_work(&set).await.notices, std::slice::from_ref(&notice));
    until("the leader's status says so", || async {
        let status = set.leader().await.admin().status(StatusRequest {}).await.unwrap().into_inner();
        status.notices == [notice.clone()]
    })
    .await;
    set.kms_admin().restore(old.region()).unwrap();
    set.restart_process(away, &address).await;
    until("nobody depends on the old key", || async { task(&set, "cmk").await.is_none() }).await;
    assert!(key_work(&set).await.notices.is_empty());
    for member in &set.members {
        assert_eq!(member.serving().keyring.wrap_info().unwrap().cmk, new, "member {}", member.id);
    }
    // What is on disk opens with the new key alone.
    set.kms_admin().disable(&old).unwrap();
    set.cmk = new;
    let address = set.stop_process(away).await;
    set.restart_process(away, &address).await;
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_database_is_rotated_everywhere_and_a_dropped_one_is_shredded() {
    let set = start().await;
    let leader = set.leader().await;
    leader.documents().insert(insert("rows", (0..100).map(|n| doc! { "_id": n }))).await.unwrap();
    let load = Load::on(leader);
    let shop = RotateDatabaseKeyRequest { database: "shop".to_owned() };
    leader.key_admin().rotate_database_key(shop).await.unwrap();
    until("every member has rewritten it", || async { task(&set, "database").await.is_none() }).await;
    let written = load.end().await;
    for member in &set.members {
        let report = member.serving().keyring.report();
        let shop = report.databases.iter().find(|database| database.round > 0).unwrap();
        let versions: Vec<_> = shop.keys.iter().map(|key| key.version.0).collect();
        assert_eq!(versions, [2], "member {}", member.id);
    }
    let count = CountRequest {
        database: "shop".to_owned(),
        collection: "rows".to_owned(),
        ..CountRequest::default()
    };
    assert_eq!(leader.documents().count(count).await.unwrap().into_inner().count, 100 + written);

    let drop = DropDatabaseRequest { database: "shop".to_owned(), ..DropDatabaseRequest::default() };
    leader.documents().drop_database(drop).await.unwrap();
    until("it is shredded everywhere", || async {
        let members = key_work(&set).await.members;
        members.iter().all(|member| !member.shredded.is_empty() && member.not_shredded.is_empty())
    })
    .await;
    assert!(task(&set, "shred").await.is_none());
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_refused_with_the_reason() {
    let set = start().await;
    let leader = set.leader().await;
    let off = leader.key_admin().set_encryption(SetEncryptionRequest { enabled: false }).await.unwrap_err();
    assert_eq!((off.code(), reason(&off).0.as_str()), (Code::FailedPrecondition, reasons::REFUSED));
    assert!(off.message().contains("members 1, 2 and 3") && off.message().contains("CK0046"), "{off:?}");
    let missing = RotateDatabaseKeyRequest { database: "nowhere".to_owned() };
    assert_eq!(leader.key_admin().rotate_database_key(missing).await.unwrap_err().code(), Code::NotFound);
    let follower = set.follower().await;
    let elsewhere = follower.key_admin().rotate_master_key(RotateMasterKeyRequest::default()).await;
    assert_eq!(reason(&elsewhere.unwrap_err()).0, reasons::NOT_LEADER);
    let elsewhere = follower.key_admin().key_work(KeyWorkRequest {}).await;
    assert_eq!(reason(&elsewhere.unwrap_err()).0, reasons::NOT_LEADER);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deferral_has_its_limit_and_can_be_taken_back() {
    let set = start().await;
    let leader = set.leader().await;
    let defer = |days| DeferRotationRequest { days };
    let until = leader.key_admin().defer_rotation(defer(3000)).await.unwrap().into_inner().until;
    let limit = now_ms() / 1000 + (90 + 14) * 24 * 3600;
    let until = coffer_keyring::Timestamp::try_from(until).unwrap().unix();
    assert!((limit - 600..=limit).contains(&until), "{until}, about {limit}");
    let notices = key_work(&set).await.notices;
    assert!(
        notices[0].starts_with("the scheduled rotation of the master keys is put off to 20"),
        "{notices:?}"
    );
    assert_eq!(leader.key_admin().defer_rotation(defer(0)).await.unwrap().into_inner().until, "");
    assert!(key_work(&set).await.notices.is_empty());

    let rotation = RotationPolicy { scheduled: false, master_key_days: 90, ..RotationPolicy::default() };
    let policy = Change::SetPolicy(SetPolicy { rotation: Some(rotation), alerts: None });
    let change = KmsChangeRequest { change: Some(policy), ..KmsChangeRequest::default() };
    assert!(leader.key_admin().kms_change(change).await.unwrap().into_inner().accepted);
    let refused = leader.key_admin().defer_rotation(defer(3)).await.unwrap_err();
    assert!(refused.message().contains("no rotation of master keys is scheduled"), "{refused:?}");
    set.stop().await;
}
