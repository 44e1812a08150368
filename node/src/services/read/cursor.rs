//! An open cursor: batches from a pinned view, as fast as the client reads.
//!
//! Invariants:
//! - No thread is held while the client is waited for: each batch is read by one, and put into a short queue.
//! - An answer that ends early ends with an error: the client must not take a part for the whole. The queue carries an end
//!   mark, and a queue that ends without it is an error whatever the reason.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use coffer_proto::v1::FindResponse;
use coffer_storage::{Cursor, StorageError};
use futures::Stream;
use metrics::gauge;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tonic::Status;

use super::super::{
    blocking::blocking,
    deadline::Deadline,
    error::ServiceError,
    gate::{Gate, Place},
};
use super::given_up::GivenUp;
use crate::member::{Member, MemberState, NotServing};

/// A batch ends with the document that makes it this large: with one of the largest size it is 17 MiB, well below what a
/// client takes.
const BATCH_BYTES: usize = 1024 * 1024;

/// Batches that wait for the client; another one is being read, and one is on its way.
const QUEUE: usize = 1;

/// How long a cursor waits for a client that does not read. Its view keeps old files on disk.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one batch may take, its wait for a place included.
const BATCH_LIMIT: Duration = Duration::from_secs(60);

/// Cursors that are open now.
pub const OPEN_CURSORS: &str = "coffer_open_cursors";

/// Counts a cursor as long as it lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        gauge!(OPEN_CURSORS).increment(1.0);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!(OPEN_CURSORS).decrement(1.0);
    }
}

/// What goes through the queue.
enum Item {
    Batch(FindResponse),
    End,
}

/// The answer to a Find.
pub struct FindStream {
    queue: mpsc::Receiver<Item>,
    /// Why the cursor ended early.
    fault: Arc<OnceLock<Status>>,
    ended: bool,
    /// Ends the reading of a batch that nobody waits for.
    _given_up: GivenUp,
}

/// What reads the cursor.
pub struct CursorTask {
    /// Absent where there is nothing to find.
    pub cursor: Option<Cursor>,
    /// Of the view that is read.
    pub applied_index: u64,
    /// The most documents of one batch.
    pub batch_documents: usize,
    /// The way in for each batch.
    pub reads: Gate,
    /// The member: a cursor ends when it drains.
    pub member: Arc<Member>,
    /// The client's deadline for the whole answer.
    pub deadline: Option<Deadline>,
    /// The place among the open cursors.
    pub _open: Place,
}

impl CursorTask {
    /// Begins to read.
    pub fn start(self, given_up: GivenUp) -> FindStream {
        let (sender, queue) = mpsc::channel(QUEUE);
        let fault = Arc::new(OnceLock::new());
        let stream = FindStream { queue, fault: fault.clone(), ended: false, _given_up: given_up };
        let counted = Counted::new();
        tokio::spawn(async move {
            let _counted = counted;
            let member = self.member.clone();
            let deadline = self.deadline.map(|deadline| deadline.at());
            let stopped = member.draining().cancelled();
            let result = tokio::select! {
                () = stopped => Err(ServiceError::NotServing(NotServing {
                    state: MemberState::Stopping,
                    reason: "it ends its cursors".to_owned(),
                })),
                () = until(deadline) => Err(ServiceError::Deadline("all documents were read")),
                result = self.run(&sender) => result,
            };
            if let Err(error) = result {
                let _ = fault.set(error.into());
            }
        });
        stream
    }

    async fn run(mut self, sender: &mpsc::Sender<Item>) -> Result<(), ServiceError> {
        let mut first = true;
        while let Some(cursor) = self.cursor.take() {
            let (cursor, documents) = self.next_batch(cursor).await?;
            // An empty answer has one batch too, because it carries the index that was read.
            if documents.is_empty() && !first {
                break;
            }
            if !documents.is_empty() {
                self.cursor = Some(cursor);
            }
            first = false;
            let batch = FindResponse { documents, applied_index: self.applied_index };
            if !send(sender, Item::Batch(batch), PATIENCE).await? {
                return Ok(());
            }
        }
        if first {
            let batch = FindResponse { documents: Vec::new(), applied_index: self.applied_index };
            if !send(sender, Item::Batch(batch), PATIENCE).await? {
                return Ok(());
            }
        }
        send(sender, Item::End, PATIENCE).await?;
        Ok(())
    }

    async fn next_batch(&self, mut cursor: Cursor) -> Result<(Cursor, Vec<Bytes>), ServiceError> {
        let deadline = Deadline::after(BATCH_LIMIT);
        let place = self.reads.enter(0, &deadline).await?;
        let documents = self.batch_documents;
        blocking("the next documents were found", place, &deadline, move || {
            match cursor.next_batch(documents, BATCH_BYTES) {
                Ok(documents) => Ok((cursor, documents)),
                // Dropped, or replaced by a snapshot: what was answered so far is not all that the caller asked for.
                Err(StorageError::DatabaseNotFound(_)) => Err(ServiceError::ReadNotConfirmed(
                    "the database was dropped or replaced by a snapshot while it was read; run the find again",
                )),
                Err(error) => Err(ServiceError::from_storage("read a cursor", &error)),
            }
        })
        .await
    }
}

/// False when the client is gone.
async fn send(sender: &mpsc::Sender<Item>, item: Item, patience: Duration) -> Result<bool, ServiceError> {
    match timeout(patience, sender.send(item)).await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(_)) => Ok(false),
        Err(_) => Err(ServiceError::Deadline("the client read on: cursors that are not read are closed")),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Stream for FindStream {
    type Item = Result<FindResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = match self.queue.poll_recv(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(item) => item,
        };
        Poll::Ready(match item {
            Some(Item::Batch(batch)) => Some(Ok(batch)),
            Some(Item::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                let fault = self.fault.get().cloned();
                Some(Err(fault.unwrap_or_else(|| ServiceError::Internal.into())))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn stream() -> (mpsc::Sender<Item>, FindStream) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (sender, FindStream { queue, fault: Arc::default(), ended: false, _given_up: GivenUp::default() })
    }

    #[tokio::test]
    async fn an_answer_without_its_end_mark_is_an_error() {
        let (sender, mut answer) = stream();
        sender.send(Item::Batch(FindResponse::default())).await.unwrap();
        drop(sender);
        assert!(answer.next().await.unwrap().is_ok());
        assert!(answer.next().await.unwrap().is_err());
        assert!(answer.next().await.is_none());
    }

    #[tokio::test]
    async fn a_whole_answer_ends_well() {
        let (sender, mut answer) = stream();
        sender.send(Item::Batch(FindResponse::default())).await.unwrap();
        assert!(answer.next().await.unwrap().is_ok());
        sender.send(Item::End).await.unwrap();
        assert!(answer.next().await.is_none());
    }

    #[tokio::test]
    async fn the_reason_of_an_early_end_is_told() {
        let (sender, mut answer) = stream();
        answer.fault.set(ServiceError::Deadline("x").into()).unwrap();
        drop(sender);
        assert_eq!(answer.next().await.unwrap().unwrap_err().code(), tonic::Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let (sender, answer) = stream();
        let patience = Duration::from_millis(50);
        for _ in 0..QUEUE {
            assert!(send(&sender, Item::End, patience).await.unwrap());
        }
        assert!(matches!(send(&sender, Item::End, patience).await, Err(ServiceError::Deadline(_))));
        drop(answer);
        assert!(!send(&sender, Item::End, patience).await.unwrap());
    }
}
