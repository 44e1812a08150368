//! The documents that a query found, as they arrive.
//!
//! Invariants:
//! - Every document is of the snapshot at [`Cursor::applied_index`].
//! - After an error, or after its end, it gives nothing more.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bson::{Document, RawDocumentBuf};
use bytes::Bytes;
use coffer_proto::v1::{FindRequest, FindResponse};
use futures::Stream;
use tokio::time::{Instant, Sleep, sleep};
use tonic::{Request, Streaming};

use crate::call::Caller;
use crate::documents::documents;
use crate::operation::Plan;
use crate::verdict::classify;
use crate::{Error, Result};

/// A stream of documents. Dropping it ends the query on the member, too.
#[derive(Debug)]
pub struct Cursor {
    /// `None` after the end.
    stream: Option<Streaming<FindResponse>>,
    batch: VecDeque<Bytes>,
    applied_index: u64,
    delivered: u64,
    /// How long the next batch may take.
    limit: Duration,
    waiting: Pin<Box<Sleep>>,
    /// Whether `waiting` runs.
    armed: bool,
}

impl Cursor {
    pub(crate) async fn open(caller: &Caller, plan: Plan, request: FindRequest) -> Result<Self> {
        let (stream, first) = caller
            .run(plan, |channel, _| {
                // Without a deadline on the wire: it would be one for all batches together, and how long those take
                // is a matter of how many they are and of who reads them.
                let request = Request::new(request.clone());
                async move {
                    let mut stream = documents(channel).find(request).await?.into_inner();
                    let first = stream.message().await?;
                    Ok((stream, first))
                }
            })
            .await?;
        let limit = caller.options.deadline;
        let ended = first.is_none();
        let first = first.unwrap_or_default();
        Ok(Self {
            stream: (!ended).then_some(stream),
            batch: first.documents.into(),
            applied_index: first.applied_index,
            delivered: 0,
            limit,
            waiting: Box::pin(sleep(limit)),
            armed: false,
        })
    }

    /// The log index of the snapshot that the documents are of.
    pub fn applied_index(&self) -> u64 {
        self.applied_index
    }

    /// The next batch as BSON, undecoded; `None` at the end. Batches are of the member's choosing.
    ///
    /// # Errors
    /// [`Error::CursorBroken`] where the stream ends before its time.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<RawDocumentBuf>>> {
        std::future::poll_fn(|cx| self.poll_batch(cx)).await?;
        if self.batch.is_empty() {
            return Ok(None);
        }
        let mut documents = Vec::with_capacity(self.batch.len());
        while let Some(bytes) = self.batch.pop_front() {
            documents.push(RawDocumentBuf::from_bytes(bytes.into()).map_err(|error| self.malformed(&error))?);
            self.delivered += 1;
        }
        Ok(Some(documents))
    }

    /// Waits until `batch` holds a document or the stream has ended.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.batch.is_empty() {
            let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(())) };
            let next = match Pin::new(stream).poll_next(cx) {
                Poll::Ready(next) => next,
                Poll::Pending => {
                    if !self.armed {
                        self.waiting.as_mut().reset(Instant::now() + self.limit);
                        self.armed = true;
                    }
                    ready!(self.waiting.as_mut().poll(cx));
                    return Poll::Ready(Err(self.broken(format!("no batch came within {:?}", self.limit))));
                }
            };
            self.armed = false;
            match next {
                None => self.stream = None,
                Some(Err(status)) => return Poll::Ready(Err(self.broken(classify(&status).reason))),
                Some(Ok(answer)) if answer.applied_index != self.applied_index => {
                    self.end();
                    let message = "a query was answered from two snapshots".into();
                    return Poll::Ready(Err(Error::BadAnswer(message)));
                }
                Some(Ok(answer)) => self.batch = answer.documents.into(),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self) {
        self.stream = None;
        self.batch.clear();
    }

    fn broken(&mut self, reason: String) -> Error {
        self.end();
        Error::CursorBroken { delivered: self.delivered, reason }
    }

    fn malformed(&mut self, error: &bson::error::Error) -> Error {
        self.end();
        Error::BadAnswer(format!("document {} of an answer is no BSON: {error}", self.delivered))
    }
}

impl Stream for Cursor {
    type Item = Result<Document>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Err(error) = ready!(this.poll_batch(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(bytes) = this.batch.pop_front() else { return Poll::Ready(None) };
        Poll::Ready(Some(match Document::from_reader(bytes.as_ref()) {
            Ok(document) => {
                this.delivered += 1;
                Ok(document)
            }
            Err(error) => Err(this.malformed(&error)),
        }))
    }
}
