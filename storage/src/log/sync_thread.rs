//! The thread that puts the log on stable storage, one sync for all that is waiting.

use std::{
    io,
    sync::{Arc, Weak, mpsc},
    time::Duration,
};

use openraft::storage::IOFlushed;

use super::inner::Inner;
use crate::raft::TypeConfig;

/// How often what is remembered of peers is written, at most. It may be lost: it is a memory of what peers can still
/// say themselves, and a second of it is a small part of an election.
const PEER_INTERVAL: Duration = Duration::from_secs(1);

/// Something that waits for a sync.
pub enum Waiter {
    /// openraft, for entries that it appended.
    Append(IOFlushed<TypeConfig>),
    /// An asynchronous caller.
    Task(tokio::sync::oneshot::Sender<io::Result<()>>),
    /// A blocking caller.
    Thread(mpsc::SyncSender<io::Result<()>>),
}

impl Waiter {
    fn complete(self, result: &Result<(), String>) {
        let result = result.clone().map_err(io::Error::other);
        match self {
            Self::Append(callback) => callback.io_completed(result),
            // A caller that has gone away needs no answer.
            Self::Task(sender) => drop(sender.send(result)),
            Self::Thread(sender) => drop(sender.send(result)),
        }
    }
}

/// Runs until the last sender is gone. A failure stays: every later waiter gets the same error.
pub fn run(inner: &Weak<Inner>, queue: &mpsc::Receiver<Waiter>) {
    let mut failure: Result<(), String> = Ok(());
    let mut waiting = Vec::new();
    loop {
        match queue.recv_timeout(PEER_INTERVAL) {
            Ok(waiter) => waiting.push(waiter),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        waiting.extend(queue.try_iter());
        let Some(inner) = inner.upgrade() else { return };
        if failure.is_ok() {
            failure = sync(&inner, !waiting.is_empty());
        }
        for waiter in waiting.drain(..) {
            waiter.complete(&failure);
        }
    }
}

fn sync(inner: &Arc<Inner>, wanted: bool) -> Result<(), String> {
    let peers = inner.write_peers(PEER_INTERVAL);
    if !wanted {
        return peers.map_err(|error| inner.fail(&error));
    }
    let mark = inner.mark();
    peers.and_then(|()| inner.sync_wal()).map_err(|error| inner.fail(&error))?;
    inner.synced(mark);
    Ok(())
}
