//! The task that brings keys to their end: shreds drops, rewrites the log and databases under new keys.

use std::{sync::Arc, time::Duration};

use openraft::async_runtime::WatchReceiver;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

use super::raft_key::LogRewrite;
use crate::{LogStore, engine::Engine, error::StorageError, raft::Raft};

/// How often it is looked what there is to do; a drop is seen by its author's next look at the status.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long a member that lags, or is sent a snapshot, keeps the entries of a dropped database from being purged. After
/// it, it gets a snapshot (another one): as long as the log is kept for a snapshot that was sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long openraft is given to purge before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How long a step that is under way may take at a stop: a flush of what the databases hold in memory.
const STOP: Duration = Duration::from_secs(2);

/// See the module.
pub struct KeyUpkeep {
    engine: Arc<Engine>,
    log: LogStore,
    raft: Raft,
    patience: Duration,
    drop: Option<Shredding>,
    rewrite: Option<Arc<LogRewrite>>,
}

/// A drop whose entries are to go from the log.
struct Shredding {
    /// Log index of the drop.
    index: u64,
    /// The end of the log when the drop was seen: what was on its way to the database by then goes too.
    through: u64,
    since: Instant,
    asked: Option<Instant>,
}

impl KeyUpkeep {
    /// Starts the task; it ends when `stopped` turns to true or its sender is gone.
    pub fn spawn(
        engine: Arc<Engine>,
        log: LogStore,
        raft: Raft,
        stopped: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        Self::spawn_with(engine, log, raft, stopped, PATIENCE)
    }

    /// As [`Self::spawn`], with another patience.
    pub(crate) fn spawn_with(
        engine: Arc<Engine>,
        log: LogStore,
        raft: Raft,
        stopped: watch::Receiver<bool>,
        patience: Duration,
    ) -> JoinHandle<()> {
        let upkeep = Self { engine, log, raft, patience, drop: None, rewrite: None };
        tokio::spawn(upkeep.run(stopped))
    }

    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let (engine, log) = (self.engine.clone(), self.log.clone());
        let work = async {
            let mut ticks = tokio::time::interval(INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                match self.tick().await {
                    Ok(()) => {}
                    // What fails when the member stops is nobody's fault.
                    Err(_) if self.engine.is_closed() || self.engine.is_stopping() => return,
                    Err(StorageError::Closed) => return,
                    Err(error) => {
                        self.log.fail(&format!("key upkeep: {error}"));
                        return;
                    }
                }
            }
        };
        tokio::pin!(work);
        tokio::select! {
            () = &mut work => return,
            // Also when the handle is dropped.
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        // A rewrite under way ends soon, and nothing is begun any more.
        let ending = tokio::task::spawn_blocking(move || {
            engine.end_rewrites();
            log.end_rewrite();
        });
        drop(ending.await);
        // What waits for Raft, and not for a disk, is given up.
        drop(tokio::time::timeout(STOP, work).await);
    }

    async fn tick(&mut self) -> Result<(), StorageError> {
        if self.engine.is_stopping() {
            return Err(StorageError::Closed);
        }
        self.purge_drops().await?;
        self.rewrite_log().await?;
        self.blocking(|engine| engine.rewrite_databases()).await
    }

    /// Purges the log past drops that are not shredded.
    async fn purge_drops(&mut self) -> Result<(), StorageError> {
        let Some(index) = self.engine.last_unshredded() else {
            self.drop = None;
            self.log.want_shredding(0);
            return Ok(());
        };
        if self.rewrite.as_ref().is_some_and(|rewrite| rewrite.shreds(index)) {
            return Ok(());
        }
        let end = self.log.last_log_id().map_or(0, |id| id.index);
        let patience = self.patience;
        let drop = self.drop.get_or_insert_with(|| Shredding {
            index,
            through: end.max(index),
            since: Instant::now(),
            asked: None,
        });
        // The end that was seen may have been cut off since.
        drop.through = drop.through.min(end.max(drop.index));
        let (through, asked) = (drop.through, drop.asked);
        let patient = drop.since.elapsed() < patience;
        let purged = self.log.purged().is_some_and(|id| id.index >= through);
        if purged {
            self.log.want_shredding(0);
            return Ok(());
        }
        if self.engine.applied().is_none_or(|id| id.index < through)
            || asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN)
        {
            return Ok(());
        }
        if patient && (self.is_sent_before(through) || self.members_lag(through)) {
            return Ok(());
        }
        if let Some(drop) = &mut self.drop {
            drop.asked = Some(Instant::now());
        }
        if self.log.checkpoint_end() <= through {
            self.blocking(|engine| engine.checkpoint().map(std::mem::drop)).await?;
        }
        if !patient {
            self.log.want_shredding(through + 1);
        }
        crate::checkpoint::purge(&self.raft, through).await?;
        Ok(())
    }

    /// Whether a snapshot is on its way that a peer goes on from with entries that would be purged.
    fn is_sent_before(&self, through: u64) -> bool {
        self.engine.sending.lowest().is_some_and(|lowest| lowest < through)
    }

    /// Whether this member leads, and another lacks entries that would be purged.
    fn members_lag(&self, through: u64) -> bool {
        let metrics = self.raft.metrics().borrow_watched().clone();
        metrics.replication.is_some_and(|members| {
            members.values().any(|matched| matched.as_ref().is_none_or(|id| id.index < through))
        })
    }

    async fn rewrite_log(&mut self) -> Result<(), StorageError> {
        if self.rewrite.is_none() {
            let purged = self.log.purged().map(|id| id.index);
            let shred = self.drop.as_ref().is_some_and(|drop| purged >= Some(drop.through));
            if !shred && !self.engine.raft_rotation_pending() {
                return Ok(());
            }
            self.rewrite = self.blocking(move |engine| engine.begin_log_rewrite(shred)).await?.map(Arc::new);
            if shred && self.rewrite.is_some() {
                self.drop = None;
            }
        }
        let Some(rewrite) = self.rewrite.clone() else { return Ok(()) };
        let done = self.blocking(move |engine| engine.step_log_rewrite(&rewrite)).await?;
        if done {
            self.rewrite = None;
            self.blocking(|engine| engine.forget_old_drops()).await?;
        }
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || work(&engine))
            .await
            .map_err(|error| StorageError::io("key upkeep", std::io::Error::other(error)))?
    }
}
