//! One stream of appends from a leader, on the side of the follower.

use std::sync::{Arc, OnceLock};

use coffer_proto::internal::v1 as pb;
use coffer_storage::raft::{
    Raft, TypeConfig,
    wire::{log_id_to_pb, vote_to_pb},
};
use futures::{
    Stream, StreamExt,
    future::ready,
    stream::{self, BoxStream},
};
use openraft::raft::{AppendEntriesRequest, StreamAppendResult};
use tonic::{Status, Streaming};

use super::{append_check::AppendCheck, convert};
use crate::member::Member;

/// What the two ends of one stream have in common.
#[derive(Default)]
struct Shared {
    /// The vote of the stream's leader, known from the first request on.
    vote: OnceLock<pb::RecordVote>,
    /// Why the stream takes no more requests.
    fault: OnceLock<Status>,
}

/// Passes the requests of member `from` to Raft and gives its answers, in order. Raft answers a success when the entries
/// are on stable storage. The first request that is not one ends the stream with an error, after the answers before it.
pub fn answers(
    member: Arc<Member>,
    raft: &Raft,
    from: u64,
    incoming: Streaming<pb::AppendRequest>,
) -> BoxStream<'static, Result<pb::AppendResponse, Status>> {
    let shared = Arc::new(Shared::default());
    let input = requests(member.clone(), from, incoming, shared.clone());
    let draining = member.draining().clone().cancelled_owned();
    let results = raft.stream_append(input);
    let vote_of = shared.clone();
    let answers = results.map(move |result| match result {
        Ok(result) => {
            let stamp = stamp(&member, vote_of.vote.get(), &result);
            Ok(convert::append_result_to_pb(&result, stamp))
        }
        Err(fatal) => Err(Status::unavailable(format!("Raft has stopped: {fatal}"))),
    });
    let end =
        stream::once(async move { shared.fault.get().cloned() }).filter_map(|fault| ready(fault.map(Err)));
    answers.chain(end).take_until(draining).boxed()
}

/// The requests as Raft takes them; ends at the first that is none.
fn requests(
    member: Arc<Member>,
    from: u64,
    incoming: Streaming<pb::AppendRequest>,
    shared: Arc<Shared>,
) -> impl Stream<Item = AppendEntriesRequest<TypeConfig>> + Send + 'static {
    let state = (member, incoming, AppendCheck::new(from), shared);
    stream::unfold(state, move |(member, mut incoming, mut check, shared)| async move {
        let message = tokio::select! {
            () = member.draining().cancelled() => {
                let _ = shared.fault.set(Status::unavailable("this member is stopping"));
                return None;
            }
            message = incoming.message() => message,
        };
        match message
            .and_then(|message| message.map(|message| take(&member, from, message, &mut check)).transpose())
        {
            Ok(request) => {
                let request = request?;
                let _ = shared.vote.set(vote_to_pb(&request.vote));
                Some((request, (member, incoming, check, shared)))
            }
            Err(fault) => {
                tracing::warn!(peer = from, error = fault.message(), "append stream refused");
                let _ = shared.fault.set(fault);
                None
            }
        }
    })
}

fn take(
    member: &Member,
    from: u64,
    message: pb::AppendRequest,
    check: &mut AppendCheck,
) -> Result<AppendEntriesRequest<TypeConfig>, Status> {
    if let Some(stamp) = &message.stamp {
        member.note(from, stamp);
    }
    let request =
        convert::append_from_pb(message).map_err(|error| Status::invalid_argument(error.to_string()))?;
    check.check(&request).map_err(|fault| Status::failed_precondition(fault.to_string()))?;
    Ok(request)
}

/// What this member says of itself with an answer. With a success it declares what it acknowledges, if its vote on
/// stable storage still is the one of the leader that it acknowledges it to: a newer leader may truncate it.
fn stamp(
    member: &Member,
    vote: Option<&pb::RecordVote>,
    result: &StreamAppendResult<TypeConfig>,
) -> pb::PeerStamp {
    let mut stamp = member.stamp();
    if let Ok(matched) = result
        && stamp.vote.as_ref() == vote
    {
        stamp.flushed = matched.as_ref().map(log_id_to_pb);
    }
    stamp
}
