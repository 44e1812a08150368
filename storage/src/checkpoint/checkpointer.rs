//! The task that decides when.
//!
//! A checkpoint is due when a start would have to replay more than `max_replay_bytes` of log. The log is purged when it
//! is larger than `max_log_bytes`, to three quarters of that: members that lag a little find their entries, those that
//! lag more get a snapshot.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle, time::MissedTickBehavior};

use crate::{LogStore, engine::Engine, error::StorageError, raft::Raft, rotation::KeyUpkeep};

/// How often sizes are looked at. At a gigabit of writes a second, a quarter of this is 32 MB of log: the bounds are
/// kept closely enough.
const INTERVAL: Duration = Duration::from_millis(250);

/// Watches sizes; see the module.
pub struct Checkpointer {
    engine: Arc<Engine>,
    log: LogStore,
    raft: Raft,
}

/// Stops the tasks.
pub struct CheckpointerHandle {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    keys: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the task, and the one that looks after keys.
    pub fn spawn(engine: Arc<Engine>, log: LogStore, raft: Raft) -> CheckpointerHandle {
        let (stop, stopped) = watch::channel(false);
        let keys = KeyUpkeep::spawn(engine.clone(), log.clone(), raft.clone(), stopped.clone());
        let task = tokio::spawn(Self { engine, log, raft }.run(stopped));
        CheckpointerHandle { stop, task, keys }
    }

    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // Also when the handle is dropped.
                _ = stopped.wait_for(|stop| *stop) => return,
            }
            if let Err(error) = self.tick().await {
                self.log.fail(&format!("checkpoint: {error}"));
                return;
            }
        }
    }

    async fn tick(&self) -> Result<(), StorageError> {
        let options = &self.engine.options;
        let checkpoint_end = self.checkpoint_end();
        let unflushed = self.log.bytes_from(checkpoint_end)?;
        let too_long = self.log.bytes() > options.max_log_bytes;
        if unflushed > options.max_replay_bytes || (too_long && unflushed > options.max_log_bytes / 4) {
            self.blocking(|engine| engine.checkpoint().map(drop)).await?;
            metrics::counter!("coffer_checkpoints_total").increment(1);
        } else if self.engine.opener.write_buffer_usage() > options.write_buffer_bytes {
            self.blocking(Engine::flush_largest).await?;
        }
        if too_long {
            self.purge().await?;
        }
        Ok(())
    }

    async fn purge(&self) -> Result<(), StorageError> {
        let keep = self.engine.options.max_log_bytes / 4 * 3;
        let Some(target) = self.log.purge_target(keep, self.purge_limit())? else { return Ok(()) };
        if !purge(&self.raft, target).await? {
            return Ok(());
        }
        // openraft keeps what it is sending to a peer. One that is alive but slower than the writes would keep it for ever.
        self.log.want_purge(if self.is_far_too_long() { target + 1 } else { 0 });
        Ok(())
    }

    /// What is on its way to a peer is kept, so that it does not need another snapshot at once; unless the log has grown
    /// to twice its bound meanwhile.
    fn purge_limit(&self) -> u64 {
        let limit = self.checkpoint_end();
        if self.is_far_too_long() {
            return limit;
        }
        self.engine.sending.lowest().map_or(limit, |lowest| limit.min(lowest + 1))
    }

    fn is_far_too_long(&self) -> bool {
        self.log.bytes() > self.engine.options.max_log_bytes.saturating_mul(2)
    }

    fn checkpoint_end(&self) -> u64 {
        self.log.checkpoint_end()
    }

    async fn blocking(
        &self,
        work: impl FnOnce(&Engine) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<(), StorageError> {
        let engine = self.engine.clone();
        tokio::task::spawn_blocking(move || work(&engine))
            .await
            .map_err(|error| StorageError::io("checkpoint", std::io::Error::other(error)))?
    }
}

/// Has openraft purge the log through `target`. Answers false where the state machine is too busy to allow it just now:
/// ask again.
///
/// # Errors
/// Raft has ended.
pub async fn purge(raft: &Raft, target: u64) -> Result<bool, StorageError> {
    // openraft purges only what a snapshot covers. Ours is a pinned view: making one costs nothing.
    let ended = |_| StorageError::Closed;
    raft.trigger().snapshot().await.map_err(ended)?;
    let covered = raft
        .wait(Some(Duration::from_secs(10)))
        .metrics(|m| m.snapshot.is_some_and(|id| id.index >= target), "a snapshot that covers the purge")
        .await;
    if covered.is_err() {
        return Ok(false);
    }
    raft.trigger().purge_log(target).await.map_err(ended)?;
    Ok(true)
}

impl CheckpointerHandle {
    /// Ends both tasks, after the checkpoint that may be under way; a rewrite under a new key is broken off.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // A task that panicked has ended too.
        drop(self.keys.await);
        drop(self.task.await);
    }
}
