//! One stream of appends to a peer, on the side of the leader.
//!
//! Invariants:
//! - The n-th answer is that of the n-th request; what contradicts its request ends the stream.
//! - Requests under way are bounded in number and bytes.
//! - openraft's request stream lives in this future and nowhere else: it holds a lock of openraft while it is polled, so
//!   it must be gone in the moment that the stream is dropped. The transport gets a channel instead.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use coffer_proto::internal::v1 as pb;
use coffer_storage::raft::{
    LogId, TypeConfig,
    wire::{log_id_to_pb, vote_to_pb},
};
use futures::{Stream, StreamExt};
use openraft::raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult};
use prost::Message;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tonic::{Status, Streaming};

use super::{convert, peer_error::PeerError};
use crate::member::Member;

/// How long the answer to an append may take. It holds an fsync of the peer, and one of a disk under load takes seconds;
/// a peer that is gone altogether is noticed sooner, by the pings of the connection.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Requests that are sent and not answered: enough to fill a long network, and no more than openraft's receiver takes.
const MAX_UNANSWERED: usize = 32;

/// Their bytes: what a peer has to hold in memory for one leader.
const MAX_UNANSWERED_BYTES: usize = 16 * 1024 * 1024;

/// A request under way.
struct Unanswered {
    prev: Option<LogId>,
    last: Option<LogId>,
    bytes: usize,
}

/// One stream of appends.
pub struct AppendExchange<S> {
    member: Arc<Member>,
    target: u64,
    input: S,
    /// Absent once the input has ended, or the transport takes no more.
    requests: Option<mpsc::Sender<pb::AppendRequest>>,
    input_ended: bool,
    responses: Streaming<pb::AppendResponse>,
    unanswered: VecDeque<Unanswered>,
    unanswered_bytes: usize,
    limit: Duration,
    deadline: Instant,
}

enum Event {
    Answer(Result<Option<pb::AppendResponse>, Status>),
    Request(Option<AppendEntriesRequest<TypeConfig>>),
    TransportClosed,
    Silence,
}

impl<S> AppendExchange<S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
{
    /// An exchange that takes from `input`, gives to `requests` and reads the answers from `responses`, each of which may
    /// take as long as `limit`.
    pub fn new(
        member: Arc<Member>,
        target: u64,
        input: S,
        requests: mpsc::Sender<pb::AppendRequest>,
        responses: Streaming<pb::AppendResponse>,
        limit: Duration,
    ) -> Self {
        Self {
            member,
            target,
            input,
            requests: Some(requests),
            input_ended: false,
            responses,
            unanswered: VecDeque::new(),
            unanswered_bytes: 0,
            limit,
            deadline: Instant::now() + limit,
        }
    }

    /// The next answer; `None` when all requests are answered and none will come. The stream is over after an error and
    /// after an answer that is not a success.
    pub async fn next(&mut self) -> Option<Result<StreamAppendResult<TypeConfig>, PeerError>> {
        loop {
            match self.event().await {
                Event::Request(Some(request)) if self.is_too_far_behind(&request) => {
                    return Some(Err(PeerError::TooFarBehind));
                }
                Event::Request(Some(request)) => self.send(&request),
                Event::Request(None) => {
                    self.input_ended = true;
                    self.end_requests();
                }
                Event::TransportClosed => self.end_requests(),
                Event::Answer(Ok(Some(answer))) => return Some(self.take_answer(&answer)),
                Event::Answer(Ok(None)) if self.input_ended && self.unanswered.is_empty() => return None,
                Event::Answer(Ok(None)) => {
                    return Some(Err(PeerError::Ended { unanswered: self.unanswered.len() }));
                }
                Event::Answer(Err(status)) => return Some(Err(status.into())),
                // All is answered, and the peer does not close its side: nothing is lost by leaving.
                Event::Silence if self.input_ended && self.unanswered.is_empty() => return None,
                Event::Silence => {
                    return Some(Err(PeerError::Silent { what: "answer to an append", limit: self.limit }));
                }
            }
        }
    }

    /// Whether the request holds entries that the log has to be rid of. Once nothing is sent from there, openraft purges
    /// them, and begins with a snapshot.
    fn is_too_far_behind(&self, request: &AppendEntriesRequest<TypeConfig>) -> bool {
        let wanted = self.member.serving().map_or(0, |serving| serving.log.purge_wanted());
        request.entries.first().is_some_and(|entry| entry.log_id.index < wanted)
    }

    async fn event(&mut self) -> Event {
        let room = self.unanswered.len() < MAX_UNANSWERED && self.unanswered_bytes < MAX_UNANSWERED_BYTES;
        let waits = !self.unanswered.is_empty() || self.requests.is_none();
        let Self { input, requests, responses, deadline, .. } = self;
        tokio::select! {
            biased;
            answer = responses.message() => Event::Answer(answer),
            event = next_request(input, requests.as_ref()), if room && requests.is_some() => event,
            () = sleep_until(*deadline), if waits => Event::Silence,
        }
    }

    fn end_requests(&mut self) {
        self.requests = None;
        if self.unanswered.is_empty() {
            self.deadline = Instant::now() + self.limit;
        }
    }

    fn send(&mut self, request: &AppendEntriesRequest<TypeConfig>) {
        let mut stamp = self.member.stamp();
        // The stamp's vote is the one on stable storage. Only under that one is anything declared.
        if stamp.vote == Some(vote_to_pb(&request.vote)) {
            stamp.flushed = self.member.log().and_then(|log| log.flushed()).as_ref().map(log_id_to_pb);
        }
        let message = convert::append_to_pb(request, stamp);
        let bytes = message.encoded_len();
        // There is room: it was waited for, and nobody else sends.
        if self.requests.as_ref().is_none_or(|requests| requests.try_send(message).is_err()) {
            self.end_requests();
            return;
        }
        if self.unanswered.is_empty() {
            self.deadline = Instant::now() + self.limit;
        }
        self.unanswered_bytes += bytes;
        let last = convert::last_log_id(request);
        self.unanswered.push_back(Unanswered { prev: request.prev_log_id, last, bytes });
    }

    fn take_answer(
        &mut self,
        answer: &pb::AppendResponse,
    ) -> Result<StreamAppendResult<TypeConfig>, PeerError> {
        if let Some(stamp) = &answer.stamp {
            self.member.note(self.target, stamp);
        }
        let request = self
            .unanswered
            .pop_front()
            .ok_or_else(|| PeerError::Nonsense("an answer without a request".to_owned()))?;
        self.unanswered_bytes -= request.bytes;
        self.deadline = Instant::now() + self.limit;
        let result =
            convert::append_result_from_pb(answer).map_err(|error| PeerError::Nonsense(error.to_string()))?;
        match &result {
            Ok(matched) if *matched > request.last => {
                Err(PeerError::Nonsense("it acknowledges more than was sent".to_owned()))
            }
            Err(StreamAppendError::Conflict(at)) if Some(*at) != request.prev => {
                Err(PeerError::Nonsense("it reports a conflict where nothing was sent".to_owned()))
            }
            Ok(_) | Err(StreamAppendError::Conflict(_) | StreamAppendError::HigherVote(_)) => Ok(result),
        }
    }
}

/// The next request, once the transport has room for it.
async fn next_request<S>(input: &mut S, requests: Option<&mpsc::Sender<pb::AppendRequest>>) -> Event
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
{
    match requests {
        Some(requests) if requests.reserve().await.is_ok() => Event::Request(input.next().await),
        Some(_) | None => Event::TransportClosed,
    }
}
