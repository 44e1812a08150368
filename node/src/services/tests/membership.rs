//! Members come and go.

use bson::doc;
use coffer_proto::{
    v1::{AddMemberRequest, KeysRequest, PromoteMemberRequest, RemoveMemberRequest, StateHashRequest},
    wire::{error_metadata, reason as reasons},
};
use tonic::Code;

use super::{ReplicaSet, insert, reason, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_added_promoted_and_removed() {
    let mut set = ReplicaSet::start().await;
    set.leader().await.documents().insert(insert("rows", [doc! { "_id": 1 }])).await.unwrap();
    let address = set.add_process(4).await.address.clone();
    let leader = set.leader().await;
    let mut admin = leader.admin();

    let refused = admin.add_member(AddMemberRequest { id: 2, address: address.clone() }).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).0.as_str()),
        (Code::FailedPrecondition, reasons::MEMBERSHIP)
    );
    // Another member answers at that address.
    let refused = admin.add_member(AddMemberRequest { id: 5, address: address.clone() }).await.unwrap_err();
    assert!(refused.message().contains("member 4"), "{}", refused.message());

    let added = admin.add_member(AddMemberRequest { id: 4, address }).await.unwrap().into_inner();
    assert_eq!(
        added.members.iter().map(|member| (member.id, member.voter)).collect::<Vec<_>>(),
        [(1, true), (2, true), (3, true), (4, false)]
    );
    let promoted = admin.promote_member(PromoteMemberRequest { id: 4 }).await.unwrap().into_inner();
    assert!(promoted.members.iter().all(|member| member.voter));

    let index = leader.last_index();
    set.applied_everywhere(index).await;
    let hash = StateHashRequest { database: "shop".to_owned(), at_least_index: index, ..Default::default() };
    let expected = admin.state_hash(hash.clone()).await.unwrap().into_inner();
    assert_eq!(expected.collections[0].documents, 1);
    let fourth = set.member(4).admin().state_hash(hash).await.unwrap().into_inner();
    assert_eq!(
        (fourth.database_index, &fourth.collections),
        (expected.database_index, &expected.collections)
    );
    let keys = set.member(4).admin().keys(KeysRequest {}).await.unwrap().into_inner();
    assert!(keys.encryption_enabled);
    for level in ["cmk", "master", "raft", "database"] {
        assert!(keys.keys.iter().any(|key| key.level == level && key.current), "{level}");
    }
    assert!(keys.keys.iter().any(|key| key.name == "shop"));

    let removed = admin.remove_member(RemoveMemberRequest { id: 4 }).await.unwrap().into_inner();
    assert_eq!(removed.members.len(), 3);
    let gone = set.member(4).address.clone();
    let refused = admin.add_member(AddMemberRequest { id: 4, address: gone }).await.unwrap_err();
    assert!(refused.message().contains("never used again"), "{}", refused.message());
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_removed_hands_over_first() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let request = RemoveMemberRequest { id: leader.id };
    let elsewhere = leader.admin().remove_member(request).await.unwrap_err();
    let (reason_, metadata) = reason(&elsewhere);
    assert_eq!(reason_, reasons::NOT_LEADER);
    let next = set.leader().await;
    assert_ne!(next.id, leader.id);
    assert_eq!(metadata[error_metadata::LEADER], next.address);
    let removed = next.admin().remove_member(request).await.unwrap().into_inner();
    assert_eq!(removed.members.len(), 2);
    next.documents().insert(insert("rows", [doc! { "_id": 1 }])).await.unwrap();
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_voter_stays() {
    let set = ReplicaSet::start_with(1, super::limits(), 1 << 30).await;
    let only = set.leader().await;
    let refused = only.admin().remove_member(RemoveMemberRequest { id: 1 }).await.unwrap_err();
    assert!(refused.message().contains("last voter"), "{}", refused.message());
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_leaves_no_majority_is_refused() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let others: Vec<u64> = set.members.iter().map(|member| member.id).filter(|id| *id != leader.id).collect();
    set.member(others[0]).cut_off().await;
    until("the leader notices", || async {
        let refused = leader.admin().remove_member(RemoveMemberRequest { id: others[1] }).await;
        refused.is_err_and(|status| status.message().contains("no majority"))
    })
    .await;
    set.stop().await;
}
