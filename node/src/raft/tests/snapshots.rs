//! A snapshot to a peer that takes nothing.

use std::time::Duration;

use coffer_keyring::{ClusterId, Keyring, MemberId};
use coffer_proto::internal::v1 as pb;
use coffer_storage::{
    Engine, LogStore, StateMachine, StorageOptions,
    raft::{Snapshot, wire::vote_from_pb},
};
use openraft::{
    RaftSnapshotBuilder,
    errors::{ReplicationClosed, StreamingError},
    network::{NetSnapshot, RPCOption},
    storage::RaftStateMachine,
};
use tempfile::TempDir;

use super::fake_peer::{Does, absent_peer, fake_peer};

async fn snapshot(folder: &TempDir) -> (Snapshot, std::sync::Arc<Engine>) {
    let path = folder.path().join("keystore.json");
    let keyring = Keyring::create_plain(&path, ClusterId::generate(), MemberId(1)).unwrap();
    let options = StorageOptions::new(folder.path());
    let log = LogStore::open(&options, &keyring).unwrap();
    let engine = Engine::recover(&options, &keyring, &log).unwrap();
    let mut machine = StateMachine::new(engine.clone());
    let mut builder = machine.try_create_snapshot_builder(true).await.unwrap();
    (builder.build_snapshot().await.unwrap(), engine)
}

#[tokio::test]
async fn a_cancelled_snapshot_ends_at_once_and_an_absent_peer_is_unreachable() {
    let folder = TempDir::new().unwrap();
    let (snapshot, engine) = snapshot(&folder).await;
    let vote = vote_from_pb(&pb::RecordVote { term: 1, member_id: 1, committed: true });
    let option = RPCOption::new(Duration::from_secs(1));

    let mut silent = fake_peer(|_, _| Does::Ends).await;
    let cancel = async {
        tokio::task::yield_now().await;
        ReplicationClosed::new("not needed any more")
    };
    let ended = silent.full_snapshot(vote, snapshot.clone(), cancel, option.clone());
    let ended = tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
    assert!(matches!(ended, Err(StreamingError::Closed(_))), "{ended:?}");

    let mut absent = absent_peer().await;
    let ended = absent.full_snapshot(vote, snapshot, std::future::pending(), option).await;
    assert!(matches!(ended, Err(StreamingError::Unreachable(_))), "{ended:?}");
    engine.close();
}
