//! Sends a snapshot to a peer.
//!
//! A thread reads the pinned view and hands messages over through a short queue; the transport takes them as fast as the
//! peer reads. There is no limit on the whole, only on the time between two messages: a snapshot may be large.

use std::{future::Future, time::Duration};

use coffer_proto::internal::v1::{SnapshotMessage, raft_client::RaftClient};
use coffer_storage::{
    SnapshotSource, StorageError,
    raft::{Snapshot, TypeConfig, Vote},
};
use metrics::counter;
use openraft::{
    errors::{ErrorSource, ReplicationClosed, StreamingError},
    impls::BoxedErrorSource,
    raft::SnapshotResponse,
};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{convert, peer_error::PeerError, route::Route};

/// How long the peer may take for one message.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// How long the peer may take, when it has everything, to check it, put it in place and replace its state.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// Messages that wait for the transport.
const QUEUE: usize = 2;

/// Snapshots that were sent; label `outcome` (`installed`, `cancelled`, `failed`).
pub const SNAPSHOTS_SENT: &str = "coffer_snapshots_sent_total";

/// Sends `snapshot` and waits until the peer has installed it.
pub async fn send(
    stub: RaftClient<Channel>,
    route: &Route,
    vote: Vote,
    snapshot: Snapshot,
    cancel: impl Future<Output = ReplicationClosed>,
) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
    let sent = send_uncounted(stub, route, vote, snapshot, cancel).await;
    let outcome = match &sent {
        Ok(_) => "installed",
        Err(StreamingError::Closed(_)) => "cancelled",
        Err(_) => "failed",
    };
    counter!(SNAPSHOTS_SENT, "outcome" => outcome).increment(1);
    sent
}

async fn send_uncounted(
    mut stub: RaftClient<Channel>,
    route: &Route,
    vote: Vote,
    snapshot: Snapshot,
    cancel: impl Future<Output = ReplicationClosed>,
) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
    let (messages, outgoing) = mpsc::channel(QUEUE);
    let (progress, mut watched) = watch::channel(0_u64);
    let source = snapshot.snapshot;
    let reader = tokio::task::spawn_blocking(move || read(&source, &vote, &messages, &progress));
    let call = stub.snapshot(route.request(ReceiverStream::new(outgoing)));

    let answer = tokio::select! {
        // The reader ends by itself: its queue is dropped with the call.
        closed = cancel => return Err(closed.into()),
        answer = call => answer.map_err(PeerError::from),
        silence = silence(&mut watched) => Err(silence),
    };
    // The call is over, so the reader is done or finds its queue gone.
    match reader.await {
        Ok(Ok(())) => {}
        // A database of the view was dropped meanwhile: openraft tries again, with a new view.
        Ok(Err(StorageError::DatabaseNotFound(_))) => return Err(PeerError::Ended { unanswered: 1 }.into()),
        Ok(Err(error)) => return Err(unreadable(error.to_string())),
        Err(panic) => return Err(unreadable(format!("its reader failed: {panic}"))),
    }
    let response = answer?.into_inner();
    let vote = convert::required_vote("snapshot response", response.vote.as_ref())
        .map_err(|error| PeerError::Nonsense(error.to_string()))?;
    Ok(SnapshotResponse::new(vote))
}

/// Reads all messages; ends early, without an error, when nobody takes them any more.
fn read(
    source: &SnapshotSource,
    vote: &Vote,
    messages: &mpsc::Sender<SnapshotMessage>,
    progress: &watch::Sender<u64>,
) -> Result<(), StorageError> {
    source.send_messages(vote, |message| {
        progress.send_modify(|sent| *sent += 1);
        messages.blocking_send(message).is_ok()
    })
}

/// Returns when the peer took nothing for too long.
async fn silence(progress: &mut watch::Receiver<u64>) -> PeerError {
    loop {
        match timeout(MESSAGE_LIMIT, progress.changed()).await {
            Ok(Ok(())) => {}
            // All is sent.
            Ok(Err(_)) => break,
            Err(_) => {
                return PeerError::Silent { what: "progress of a snapshot", limit: MESSAGE_LIMIT };
            }
        }
    }
    sleep(INSTALL_LIMIT).await;
    PeerError::Silent { what: "answer to a snapshot", limit: INSTALL_LIMIT }
}

/// What this member cannot read is a fault of this member: openraft ends it.
fn unreadable(why: String) -> StreamingError<TypeConfig> {
    let source = BoxedErrorSource::from_string(why);
    openraft::StorageError::read_snapshot(None, source).into()
}
