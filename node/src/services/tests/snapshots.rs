//! A member that is too far behind for the log gets a snapshot.

use bson::doc;
use coffer_proto::v1::{AddMemberRequest, DropDatabaseRequest, PromoteMemberRequest, StateHashRequest};

use super::{ReplicaSet, insert, limits};

/// Small enough for a test, large enough for several files.
const LOG_BYTES: u64 = 1 << 20;

/// Writes documents numbered from `from` until the leader has purged its log past `index`; answers the next number.
async fn write_past_purge(set: &ReplicaSet, from: i32, index: u64) -> i32 {
    let text = "x".repeat(1000);
    let leader = set.leader().await;
    let mut documents = leader.documents();
    let mut next = from;
    loop {
        let rows = (next..next + 500).map(|id| doc! { "_id": id, "text": text.as_str() });
        documents.insert(insert("rows", rows)).await.unwrap();
        next += 500;
        if leader.serving().log.purged().is_some_and(|purged| purged.index > index) {
            return next;
        }
    }
}

/// Waits until all members have applied what the leader has, and compares them.
async fn all_agree(set: &ReplicaSet, documents: i32) {
    let leader = set.leader().await;
    let index = leader.last_index();
    set.applied_everywhere(index).await;
    let hash = StateHashRequest { database: "shop".to_owned(), at_least_index: index, ..Default::default() };
    let expected = leader.admin().state_hash(hash.clone()).await.unwrap().into_inner();
    assert_eq!(expected.collections[0].documents, u64::try_from(documents).unwrap());
    for member in &set.members {
        let found = member.admin().state_hash(hash.clone()).await.unwrap().into_inner();
        assert_eq!(
            (found.database_index, &found.collections),
            (expected.database_index, &expected.collections),
            "member {}",
            member.id
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_member_gets_a_snapshot_where_the_log_is_purged() {
    let mut set = ReplicaSet::start_with(3, limits(), LOG_BYTES).await;
    let documents = write_past_purge(&set, 0, 0).await;
    let address = set.add_process(4).await.address.clone();
    let mut admin = set.leader().await.admin();
    admin.add_member(AddMemberRequest { id: 4, address }).await.unwrap();
    admin.promote_member(PromoteMemberRequest { id: 4 }).await.unwrap();
    all_agree(&set, documents).await;
    assert!(set.member(4).serving().log.purged().is_some(), "it came by a snapshot, not by entries");
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_away_gets_a_snapshot_over_what_it_has() {
    let mut set = ReplicaSet::start_with(3, limits(), LOG_BYTES).await;
    let leader = set.leader().await;
    leader.documents().insert(insert("rows", [doc! { "_id": -1 }])).await.unwrap();
    set.applied_everywhere(leader.last_index()).await;
    let away = set.follower().await.id;
    let stood_at = set.member(away).last_index();
    let generation = set.member(away).serving().keyring.generation();
    let address = set.stop_process(away).await;

    // Dropped and made again while it is away: what it still has of the old database must go.
    let request = DropDatabaseRequest { database: "shop".to_owned(), retry_token: None };
    set.leader().await.documents().drop_database(request).await.unwrap();
    let documents = write_past_purge(&set, 0, stood_at).await;
    set.restart_process(away, &address).await;
    all_agree(&set, documents).await;
    let serving = set.member(away).serving();
    assert!(serving.keyring.generation() > generation, "the snapshot is a generation of its own");
    drop(serving);

    // And it goes on: as a follower, and after another restart from what was installed.
    let address = set.stop_process(away).await;
    set.leader().await.documents().insert(insert("rows", [doc! { "_id": -2 }])).await.unwrap();
    set.restart_process(away, &address).await;
    all_agree(&set, documents + 1).await;
    set.stop().await;
}
