//! Receives a snapshot from a leader.
//!
//! Everything is written beside what is live, checked, and only then given to Raft, which puts it in place. Whatever
//! fails before leaves nothing behind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use coffer_proto::internal::v1::{SnapshotHeader, SnapshotMessage, SnapshotResponse, snapshot_message::Body};
use coffer_storage::{
    Engine, SnapshotReceiver, StorageError,
    raft::{
        LogId, Raft, Snapshot, Vote,
        wire::{log_id_from_pb, vote_to_pb},
    },
};
use metrics::counter;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::{
    sync::{OwnedMutexGuard, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::convert;

/// How long the next message may take.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// Messages that wait for the disk.
const QUEUE: usize = 2;

/// Snapshots that were received; label `outcome` (`staged`, `refused`).
pub const SNAPSHOTS_RECEIVED: &str = "coffer_snapshots_received_total";

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the snapshot is not one: {0}")]
    Broken(String),
    #[error("the stream ended before the snapshot was whole")]
    Incomplete,
    #[error("no message for {MESSAGE_LIMIT:?}")]
    Silent,
    #[error("it was given up for a newer one, or because this member is stopping")]
    Cancelled,
    #[error("it cannot be stored: {0}")]
    Storage(#[from] StorageError),
    #[error("its writer failed")]
    Writer,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Broken(_) => Self::invalid_argument(text),
            Refusal::Incomplete | Refusal::Silent | Refusal::Cancelled => Self::aborted(text),
            // The state of the sender may be fine and this disk full: it backs off and tries again.
            Refusal::Storage(_) | Refusal::Writer => Self::unavailable(text),
        }
    }
}

/// Receives a snapshot from member `from`, gives it to Raft and waits until it is in place. `place` is that of the one
/// snapshot that is received at a time.
pub async fn receive(
    engine: Arc<Engine>,
    raft: &Raft,
    from: u64,
    incoming: Streaming<SnapshotMessage>,
    cancel: &CancellationToken,
    place: Arc<OwnedMutexGuard<()>>,
) -> Result<SnapshotResponse, Status> {
    let began = Instant::now();
    let staged = stage(engine, from, incoming, cancel, place.clone()).await;
    let outcome = if staged.is_ok() { "staged" } else { "refused" };
    counter!(SNAPSHOTS_RECEIVED, "outcome" => outcome).increment(1);
    let (vote, snapshot) = staged.inspect_err(|refusal| {
        tracing::warn!(peer = from, error = %refusal, "snapshot refused");
    })?;
    check_against_log(raft, &vote, snapshot.meta.last_log_id)?;
    let response = raft
        .install_full_snapshot(vote, snapshot)
        .await
        .map_err(|fatal| Status::unavailable(format!("Raft has stopped: {fatal}")))?;
    tracing::info!(
        peer = from,
        seconds = began.elapsed().as_secs_f64(),
        "snapshot received and given to Raft"
    );
    Ok(SnapshotResponse { vote: Some(vote_to_pb(&response.vote)) })
}

/// Writes the snapshot to its staging place.
async fn stage(
    engine: Arc<Engine>,
    from: u64,
    mut incoming: Streaming<SnapshotMessage>,
    cancel: &CancellationToken,
    place: Arc<OwnedMutexGuard<()>>,
) -> Result<(Vote, Snapshot), Refusal> {
    let header = match next(&mut incoming, cancel).await?.body {
        Some(Body::Header(header)) => header,
        Some(Body::Chunk(_) | Body::Trailer(_)) | None => {
            return Err(Refusal::Broken("it does not begin with a header".to_owned()));
        }
    };
    check_header(&header, from).map_err(|why| Refusal::Broken(why.to_owned()))?;
    let (bodies, queue) = mpsc::channel(QUEUE);
    let writer = tokio::task::spawn_blocking(move || {
        // Held by the thread too: it goes on for a moment when the call is given up.
        let _place = place;
        write(&engine, header, queue)
    });
    let copied = copy(&mut incoming, bodies, cancel).await;
    let written = writer.await.map_err(|_| Refusal::Writer)?;
    // The writer's own error says more than "it takes no more".
    match (copied, written) {
        (Ok(()), written) => written,
        (Err(refusal), Err(Refusal::Incomplete) | Ok(_)) => Err(refusal),
        (Err(_), Err(refusal)) => Err(refusal),
    }
}

/// Hands the messages after the header to the writer, until the trailer.
async fn copy(
    incoming: &mut Streaming<SnapshotMessage>,
    bodies: mpsc::Sender<Body>,
    cancel: &CancellationToken,
) -> Result<(), Refusal> {
    loop {
        let body = next(incoming, cancel)
            .await?
            .body
            .ok_or_else(|| Refusal::Broken("a message of it is empty".to_owned()))?;
        let last = matches!(body, Body::Trailer(_));
        if bodies.send(body).await.is_err() {
            return Err(Refusal::Writer);
        }
        if last {
            return Ok(());
        }
    }
}

async fn next(
    incoming: &mut Streaming<SnapshotMessage>,
    cancel: &CancellationToken,
) -> Result<SnapshotMessage, Refusal> {
    let message = tokio::select! {
        () = cancel.cancelled() => return Err(Refusal::Cancelled),
        message = timeout(MESSAGE_LIMIT, incoming.message()) => message,
    };
    match message {
        Err(_) => Err(Refusal::Silent),
        Ok(Ok(Some(message))) => Ok(message),
        Ok(Ok(None) | Err(_)) => Err(Refusal::Incomplete),
    }
}

/// Runs on a thread of its own. Dropping the receiver removes what was staged.
fn write(
    engine: &Arc<Engine>,
    header: SnapshotHeader,
    mut queue: mpsc::Receiver<Body>,
) -> Result<(Vote, Snapshot), Refusal> {
    let mut receiver = SnapshotReceiver::begin(engine, &header)?;
    while let Some(body) = queue.blocking_recv() {
        match body {
            Body::Header(_) => return Err(Refusal::Broken("it has two headers".to_owned())),
            Body::Chunk(chunk) => receiver.chunk(&chunk)?,
            Body::Trailer(trailer) => return Ok(receiver.finish(&trailer)?),
        }
    }
    Err(Refusal::Incomplete)
}

/// Whether the header is one that the leader `from` can have made.
fn check_header(header: &SnapshotHeader, from: u64) -> Result<(), &'static str> {
    let vote = convert::required_vote("snapshot header", header.vote.as_ref())
        .map_err(|_| "its header has no vote")?;
    if !vote.committed || vote.leader_id.voted_for != from {
        return Err("its vote is not that of the elected leader who sends it");
    }
    let last = header.last_log_id.as_ref().map(log_id_from_pb).ok_or("its header has no log id")?;
    if *last.leader_id > vote.leader_id.term {
        return Err("it ends in a term after its leader's");
    }
    let membership = header.membership.as_ref().ok_or("its header has no membership")?;
    let membership_at = membership.log_id.as_ref().map(log_id_from_pb);
    if membership_at > Some(last) {
        return Err("its membership is newer than itself");
    }
    Ok(())
}

/// Refuses what openraft would take for a broken promise, and panic at: a snapshot that contradicts what is committed.
fn check_against_log(raft: &Raft, vote: &Vote, last: Option<LogId>) -> Result<(), Status> {
    let committed = raft.metrics().borrow_watched().local_committed;
    let contradicts = match (last, committed) {
        (None, _) => true,
        (Some(last), _) if *last.leader_id > vote.leader_id.term => true,
        (Some(last), Some(committed)) => last > committed && last.index <= committed.index,
        (Some(_), None) => false,
    };
    if contradicts {
        return Err(Status::failed_precondition(
            "the snapshot contradicts what this member knows to be committed: its sender belongs to another history",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use coffer_proto::internal::v1::{RecordLogId, RecordStoredMembership, RecordVote};

    use super::*;

    fn header() -> SnapshotHeader {
        SnapshotHeader {
            format: 1,
            vote: Some(RecordVote { term: 3, member_id: 1, committed: true }),
            last_log_id: Some(RecordLogId { term: 3, index: 10 }),
            membership: Some(RecordStoredMembership {
                format: 1,
                log_id: Some(RecordLogId { term: 1, index: 0 }),
                membership: None,
            }),
            feature: 1,
            databases: 0,
        }
    }

    #[test]
    fn only_the_elected_leader_sends_snapshots_of_its_own_time() {
        assert_eq!(check_header(&header(), 1), Ok(()));
        assert!(check_header(&header(), 2).is_err());
        let changes: [fn(&mut SnapshotHeader); 6] = [
            |header| header.vote = None,
            |header| header.vote.as_mut().unwrap().committed = false,
            |header| header.last_log_id = None,
            |header| header.last_log_id.as_mut().unwrap().term = 4,
            |header| header.membership = None,
            |header| {
                let membership = header.membership.as_mut().unwrap();
                membership.log_id = Some(RecordLogId { term: 3, index: 11 });
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut header = header();
            change(&mut header);
            assert!(check_header(&header, 1).is_err(), "change {number}");
        }
    }
}
