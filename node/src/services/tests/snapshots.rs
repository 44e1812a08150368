//! A member that is too far behind for the log gets a snapshot.

use bson::doc;
use coffer_proto::v1::{AddMemberRequest, PromoteMemberRequest, StateHashRequest};

use super::{ReplicaSet, insert, limits, until};

/// Small enough for a test, large enough for several files.
const LOG_BYTES: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_member_gets_a_snapshot_where_the_log_is_purged() {
    let mut set = ReplicaSet::start_with(3, limits(), LOG_BYTES).await;
    let text = "x".repeat(1000);
    let mut next = 0;
    let leader = set.leader().await.id;
    until("the log is purged", || {
        let rows: Vec<_> = (next..next + 500).map(|id| doc! { "_id": id, "text": text.as_str() }).collect();
        next += 500;
        let set = &set;
        async move {
            let member = set.member(leader);
            member.documents().insert(insert("rows", rows)).await.unwrap();
            member.serving().log.purged().is_some()
        }
    })
    .await;
    let address = set.add_process(4).await.address.clone();
    let leader = set.leader().await;
    let mut admin = leader.admin();
    admin.add_member(AddMemberRequest { id: 4, address }).await.unwrap();
    admin.promote_member(PromoteMemberRequest { id: 4 }).await.unwrap();

    let index = leader.last_index();
    set.applied_everywhere(index).await;
    assert!(set.member(4).serving().log.purged().is_some(), "it came by a snapshot, not by entries");
    let hash = StateHashRequest { database: "shop".to_owned(), at_least_index: index, ..Default::default() };
    let expected = admin.state_hash(hash.clone()).await.unwrap().into_inner();
    assert_eq!(expected.collections[0].documents, u64::try_from(next).unwrap());
    for member in &set.members {
        let found = member.admin().state_hash(hash.clone()).await.unwrap().into_inner();
        assert_eq!(
            (found.database_index, &found.collections),
            (expected.database_index, &expected.collections),
            "member {}",
            member.id
        );
    }
    set.stop().await;
}
