//! Who leads, and what those say who do not.

use std::collections::BTreeSet;
use std::time::Duration;

use bson::doc;
use coffer_proto::{
    internal::v1::MemberKeysRecord,
    v1::{CountRequest, RaftRole, ReadConcern, StatusRequest, TransferLeaderRequest},
    wire::{error_metadata, reason as reasons},
};
use coffer_storage::SystemKind;
use prost::Message;
use tonic::{Code, Status};

use super::{ReplicaSet, insert, limits, reason};
use crate::member::Limits;
use crate::services::denied_members;
use crate::system_records::{Expect, put};

fn count(concern: ReadConcern) -> CountRequest {
    CountRequest {
        database: "shop".to_owned(),
        collection: "rows".to_owned(),
        read_concern: concern.into(),
        ..CountRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_names_the_leader() {
    let set = ReplicaSet::start().await;
    let follower = set.follower().await;
    let leader = set.leader().await;
    let check = |status: Status| {
        assert_eq!(status.code(), Code::Unavailable);
        let (reason, metadata) = reason(&status);
        assert_eq!(reason, reasons::NOT_LEADER);
        assert_eq!(metadata[error_metadata::LEADER], leader.address);
        assert_eq!(metadata[error_metadata::LEADER_ID], leader.id.to_string());
    };
    let mut documents = follower.documents();
    check(documents.insert(insert("rows", [doc! {}])).await.unwrap_err());
    check(documents.count(count(ReadConcern::Linearizable)).await.unwrap_err());
    check(follower.admin().transfer_leader(TransferLeaderRequest { to: 0 }).await.unwrap_err());
    let local = documents.count(count(ReadConcern::Local)).await.unwrap().into_inner();
    assert_eq!(local.count, 0);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_goes_to_the_member_that_is_named() {
    let set = ReplicaSet::start().await;
    let follower = set.follower().await;
    let leader = set.leader().await;
    let to = TransferLeaderRequest { to: follower.id };
    let answer = leader.admin().transfer_leader(to).await.unwrap().into_inner();
    assert_eq!(answer.leader_id, follower.id);
    assert_eq!(set.leader().await.id, follower.id);
    follower.documents().insert(insert("rows", [doc! {}])).await.unwrap();

    let status = follower.admin().status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.role(), RaftRole::Leader);
    assert_eq!((status.leader_id, status.leader_address.as_str()), (follower.id, follower.address.as_str()));
    assert_eq!(status.members.len(), 3);
    assert!(status.members.iter().all(|member| member.voter));
    assert_eq!((status.databases, status.incarnation), (1, 1));
    assert!(status.applied_index > 0 && status.flushed_index >= status.applied_index);
    assert_eq!(status.progress.len(), 3);

    let nobody = follower.admin().transfer_leader(TransferLeaderRequest { to: 9 }).await.unwrap_err();
    assert_eq!((nobody.code(), reason(&nobody).0.as_str()), (Code::FailedPrecondition, reasons::MEMBERSHIP));
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_a_majority_confirms_nothing() {
    let limits = Limits { default_deadline: Duration::from_secs(4), ..limits() };
    let set = ReplicaSet::start_with(3, limits, 1 << 30).await;
    let leader = set.leader().await;
    let mut documents = leader.documents();
    documents.insert(insert("rows", [doc! { "_id": 1 }])).await.unwrap();
    for member in set.members.iter().filter(|member| member.id != leader.id) {
        member.cut_off().await;
    }
    let unknown = documents.insert(insert("rows", [doc! { "_id": 2 }])).await.unwrap_err();
    // The lease may have ended before the write, and then nothing was done.
    let reason_ = reason(&unknown).0;
    assert!([reasons::OUTCOME_UNKNOWN, reasons::NOT_LEADER].contains(&reason_.as_str()), "{unknown:?}");
    let unconfirmed = documents.count(count(ReadConcern::Linearizable)).await.unwrap_err();
    assert_eq!(unconfirmed.code(), Code::Unavailable);
    let reason_ = reason(&unconfirmed).0;
    assert!(
        [reasons::READ_NOT_CONFIRMED, reasons::NOT_LEADER].contains(&reason_.as_str()),
        "{unconfirmed:?}"
    );
    let local = documents.count(count(ReadConcern::Local)).await.unwrap().into_inner();
    assert_eq!(local.count, 1);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_does_not_go_to_a_member_that_was_denied_the_key() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let followers: Vec<_> = set.members.iter().filter(|member| member.id != leader.id).collect();
    let (denied, other) = (followers[0].id, followers[1].id);
    let report = MemberKeysRecord { member_id: denied, denial_pending: true, ..MemberKeysRecord::default() };
    let serving = leader.member.serving().unwrap();
    let kind = SystemKind::MemberKeys as u32;
    let bytes = report.encode_to_vec();
    put(&serving.raft, kind, &denied.to_string(), Expect::Anything, bytes, super::PATIENCE).await.unwrap();
    assert_eq!(denied_members(&serving.engine), BTreeSet::from([denied]));
    drop(serving);
    let to = TransferLeaderRequest { to: 0 };
    let answer = leader.admin().transfer_leader(to).await.unwrap().into_inner();
    assert_eq!(answer.leader_id, other);
    set.stop().await;
}
