//! openraft's own suite for stores.
//!
//! The suite applies entries that it never appended, which our state machine rightly waits for; and it installs one
//! store's snapshot into another without a network. The wrapper bridges both: it applies at once, and carries a view
//! over the way the network does. It also purges without a checkpoint, so the log is told that all is in files.

use std::{
    io,
    sync::{Arc, Mutex},
};

use coffer_proto::internal::v1::{CheckpointRecord, RecordLogId, snapshot_message::Body};
use futures::{Stream, StreamExt};
use openraft::{
    OptionalSend, StorageError as RaftStorageError,
    storage::{EntryResponder, RaftStateMachine},
    testing::log::{StoreBuilder, Suite},
};

use super::TestNode;
use crate::{
    LogStore, SnapshotReceiver, SnapshotSource, StateMachine,
    engine::Engine,
    raft::{LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig, Vote},
    state_machine::ViewBuilder,
};

struct Bridged {
    engine: Arc<Engine>,
    inner: StateMachine,
}

impl RaftStateMachine<TypeConfig> for Bridged {
    type SnapshotData = SnapshotSource;
    type SnapshotBuilder = ViewBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        self.inner.applied_state().await
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            let outcome = self.engine.apply(&entry)?;
            if let Some(responder) = responder {
                responder.send(outcome);
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Self::SnapshotBuilder> {
        self.inner.try_create_snapshot_builder(force).await
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        self.inner.get_snapshot_builder().await
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotSource,
    ) -> Result<(), io::Error> {
        let received = carry_over(&snapshot, &self.engine);
        assert_eq!(&received.meta, meta);
        self.inner.install_snapshot(meta, received.snapshot).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        self.inner.get_current_snapshot().await
    }
}

/// Sends a view and receives it, as between two members.
pub fn carry_over(view: &SnapshotSource, to: &Arc<Engine>) -> Snapshot {
    let vote = Vote::new_committed(u64::MAX, 1);
    let mut receiver = None;
    let mut finished = None;
    view.send_messages(&vote, |message| {
        match message.body.unwrap() {
            Body::Header(header) => receiver = Some(SnapshotReceiver::begin(to, &header).unwrap()),
            Body::Chunk(chunk) => receiver.as_mut().unwrap().chunk(&chunk).unwrap(),
            Body::Trailer(trailer) => finished = Some(receiver.take().unwrap().finish(&trailer).unwrap()),
        }
        true
    })
    .unwrap();
    finished.unwrap().1
}

struct Builder(Mutex<u64>);

impl StoreBuilder<TypeConfig, LogStore, Bridged, tempfile::TempDir> for Builder {
    async fn build(&self) -> Result<(tempfile::TempDir, LogStore, Bridged), RaftStorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let mut id = self.0.lock().unwrap();
        *id += 1;
        let node = TestNode::open(dir.path(), *id);
        node.log.use_checkpoint(&CheckpointRecord {
            through: Some(RecordLogId { term: 1, index: u64::MAX - 1 }),
            ..CheckpointRecord::default()
        });
        let bridged = Bridged { engine: node.engine.clone(), inner: StateMachine::new(node.engine.clone()) };
        Ok((dir, node.log.clone(), bridged))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openrafts_suite_passes() {
    Suite::test_all(Builder(Mutex::new(0))).await.unwrap();
}
