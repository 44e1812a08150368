//! The state machine that openraft drives.
//!
//! An entry is applied only when this member's own log holds it on stable storage. Raft lets a leader apply what a
//! majority holds before its own flush is done; a database flush could then outrun the log, and after a crash the store
//! would stand beyond its log. Waiting closes that for good.

use std::{io, sync::Arc};

use futures::{Stream, StreamExt};
use openraft::{
    OptionalSend, RaftSnapshotBuilder,
    storage::{EntryResponder, RaftStateMachine},
};

use crate::{
    engine::Engine,
    raft::{LogId, Outcome, Snapshot, SnapshotMeta, StoredMembership, TypeConfig},
    snapshot::PinnedView,
};

pub use crate::snapshot::SnapshotSource;

/// openraft's handle on the engine.
pub struct StateMachine {
    engine: Arc<Engine>,
}

impl StateMachine {
    /// Drives `engine`.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// A view of the present state, labelled with the id it has.
    fn view(&self) -> io::Result<Snapshot> {
        let view = blocking(|| PinnedView::new(&self.engine))?;
        Ok(Snapshot { meta: view.meta().clone(), snapshot: SnapshotSource::View(Arc::new(view)) })
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotSource;
    type SnapshotBuilder = ViewBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let state = self.engine.applied_state();
        Ok((state.log_id, state.membership))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(item) = entries.next().await {
            let (entry, responder) = item?;
            self.engine.log.wait_flushed(entry.log_id.index).await?;
            let outcome: Outcome = match blocking(|| self.engine.apply(&entry)) {
                Ok(outcome) => outcome,
                // The member stops, and its databases are closed under openraft: nothing has failed, and nothing goes on.
                Err(_) if self.engine.is_closed() => std::future::pending().await,
                Err(error) => {
                    // openraft ends with it; the process is told as well, with the reason.
                    self.engine.log.fail(&format!("apply entry {}: {error}", entry.log_id.index));
                    return Err(error.into());
                }
            };
            if let Some(responder) = responder {
                responder.send(outcome);
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<Self::SnapshotBuilder> {
        // Pinned here, in the order of applies, and not when the builder runs: else the label would lie.
        Some(ViewBuilder(Some(self.view())))
    }

    async fn get_snapshot_builder(&mut self) -> Self::SnapshotBuilder {
        ViewBuilder(Some(self.view()))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotSource,
    ) -> Result<(), io::Error> {
        let result = match snapshot {
            // openraft offers our own view back at a start; it is the present state.
            SnapshotSource::View(_) => Ok(()),
            SnapshotSource::Staged(staged) => blocking(|| self.engine.install(meta, &staged)),
        };
        result.map_err(|error| {
            self.engine.log.fail(&format!("install a snapshot: {error}"));
            io::Error::from(error)
        })
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        // Before anything is applied there is no state, and so no snapshot.
        Ok(Some(self.view()?).filter(|snapshot| snapshot.meta.last_log_id.is_some()))
    }
}

/// Hands out a view that was pinned when it was made.
pub struct ViewBuilder(Option<io::Result<Snapshot>>);

impl RaftSnapshotBuilder<TypeConfig> for ViewBuilder {
    type SnapshotData = SnapshotSource;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        self.0.take().unwrap_or_else(|| Err(io::Error::other("a snapshot is built once")))
    }
}

/// Runs work that blocks. On a runtime with several threads the others take over this one's tasks meanwhile.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let threads = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    match threads {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
