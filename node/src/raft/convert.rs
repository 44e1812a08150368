//! Between openraft's requests and answers and the messages of `coffer.internal.v1`.

use coffer_proto::internal::v1 as pb;
use coffer_storage::raft::{
    LogId, TypeConfig, Vote,
    wire::{WireError, decode_entry, encode_entry, log_id_from_pb, log_id_to_pb, vote_from_pb, vote_to_pb},
};
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderRequest, VoteRequest,
    VoteResponse,
};

/// To the message; `stamp` is what this member says of itself.
pub fn append_to_pb(request: &AppendEntriesRequest<TypeConfig>, stamp: pb::PeerStamp) -> pb::AppendRequest {
    pb::AppendRequest {
        vote: Some(vote_to_pb(&request.vote)),
        prev_log_id: request.prev_log_id.as_ref().map(log_id_to_pb),
        entries: request.entries.iter().map(|entry| encode_entry(entry).into()).collect(),
        leader_commit: request.leader_commit.as_ref().map(log_id_to_pb),
        stamp: Some(stamp),
    }
}

/// From the message.
///
/// # Errors
/// The vote is not there, or an entry is not one.
pub fn append_from_pb(request: pb::AppendRequest) -> Result<AppendEntriesRequest<TypeConfig>, WireError> {
    let vote = required_vote("append request", request.vote.as_ref())?;
    let entries = request.entries.into_iter().map(decode_entry).collect::<Result<_, _>>()?;
    Ok(AppendEntriesRequest {
        vote,
        prev_log_id: request.prev_log_id.as_ref().map(log_id_from_pb),
        entries,
        leader_commit: request.leader_commit.as_ref().map(log_id_from_pb),
    })
}

/// To the message.
pub fn append_result_to_pb(
    result: &StreamAppendResult<TypeConfig>,
    stamp: pb::PeerStamp,
) -> pb::AppendResponse {
    use pb::append_response::Result as Answer;
    let answer = match result {
        Ok(matched) => Answer::Matched(pb::AppendMatched { log_id: matched.as_ref().map(log_id_to_pb) }),
        Err(StreamAppendError::Conflict(at)) => Answer::Conflict(log_id_to_pb(at)),
        Err(StreamAppendError::HigherVote(vote)) => Answer::HigherVote(vote_to_pb(vote)),
    };
    pb::AppendResponse { result: Some(answer), stamp: Some(stamp) }
}

/// From the message.
///
/// # Errors
/// There is no result in it.
pub fn append_result_from_pb(
    response: &pb::AppendResponse,
) -> Result<StreamAppendResult<TypeConfig>, WireError> {
    use pb::append_response::Result as Answer;
    match response.result.as_ref() {
        Some(Answer::Matched(matched)) => Ok(Ok(matched.log_id.as_ref().map(log_id_from_pb))),
        Some(Answer::Conflict(at)) => Ok(Err(StreamAppendError::Conflict(log_id_from_pb(at)))),
        Some(Answer::HigherVote(vote)) => Ok(Err(StreamAppendError::HigherVote(vote_from_pb(vote)))),
        None => Err(WireError::Missing { what: "append response", field: "result" }),
    }
}

/// To the message.
pub fn vote_request_to_pb(request: &VoteRequest<TypeConfig>, stamp: pb::PeerStamp) -> pb::VoteRequest {
    pb::VoteRequest {
        vote: Some(vote_to_pb(&request.vote)),
        last_log_id: request.last_log_id.as_ref().map(log_id_to_pb),
        leadership_transfer: request.leadership_transfer,
        stamp: Some(stamp),
    }
}

/// From the message.
///
/// # Errors
/// The vote is not there.
pub fn vote_request_from_pb(request: &pb::VoteRequest) -> Result<VoteRequest<TypeConfig>, WireError> {
    let vote = required_vote("vote request", request.vote.as_ref())?;
    Ok(VoteRequest {
        vote,
        last_log_id: request.last_log_id.as_ref().map(log_id_from_pb),
        leadership_transfer: request.leadership_transfer,
    })
}

/// To the message.
pub fn vote_response_to_pb(response: &VoteResponse<TypeConfig>, stamp: pb::PeerStamp) -> pb::VoteResponse {
    pb::VoteResponse {
        vote: Some(vote_to_pb(&response.vote)),
        granted: response.vote_granted,
        last_log_id: response.last_log_id.as_ref().map(log_id_to_pb),
        stamp: Some(stamp),
    }
}

/// From the message.
///
/// # Errors
/// The vote is not there.
pub fn vote_response_from_pb(response: &pb::VoteResponse) -> Result<VoteResponse<TypeConfig>, WireError> {
    let vote = required_vote("vote response", response.vote.as_ref())?;
    Ok(VoteResponse {
        vote,
        vote_granted: response.granted,
        last_log_id: response.last_log_id.as_ref().map(log_id_from_pb),
    })
}

/// To the message.
pub fn transfer_to_pb(request: &TransferLeaderRequest<TypeConfig>) -> pb::TransferLeaderRequest {
    pb::TransferLeaderRequest {
        from_leader: Some(vote_to_pb(request.from_leader())),
        to: *request.to_node_id(),
        last_log_id: request.last_log_id().map(log_id_to_pb),
    }
}

/// From the message.
///
/// # Errors
/// The vote is not there.
pub fn transfer_from_pb(
    request: &pb::TransferLeaderRequest,
) -> Result<TransferLeaderRequest<TypeConfig>, WireError> {
    let from = required_vote("transfer request", request.from_leader.as_ref())?;
    Ok(TransferLeaderRequest::new(from, request.to, request.last_log_id.as_ref().map(log_id_from_pb)))
}

/// The vote of a message.
///
/// # Errors
/// It is not there.
pub fn required_vote(what: &'static str, vote: Option<&pb::RecordVote>) -> Result<Vote, WireError> {
    vote.map(vote_from_pb).ok_or(WireError::Missing { what, field: "vote" })
}

/// The last log id of a request: of its last entry, or what it appends to.
pub fn last_log_id(request: &AppendEntriesRequest<TypeConfig>) -> Option<LogId> {
    request.entries.last().map_or(request.prev_log_id, |entry| Some(entry.log_id))
}

#[cfg(test)]
mod tests {
    use coffer_proto::internal::v1::Command;
    use coffer_storage::raft::{Entry, Proposal};
    use openraft::EntryPayload;

    use super::*;

    fn log_id(term: u64, index: u64) -> LogId {
        log_id_from_pb(&pb::RecordLogId { term, index })
    }

    fn vote(term: u64, member_id: u64, committed: bool) -> Vote {
        vote_from_pb(&pb::RecordVote { term, member_id, committed })
    }

    #[test]
    fn an_append_survives_the_wire() {
        let command = Proposal::new(&Command { format: 1, ..Command::default() });
        let request = AppendEntriesRequest::<TypeConfig> {
            vote: vote(3, 1, true),
            prev_log_id: Some(log_id(2, 7)),
            entries: vec![
                Entry { log_id: log_id(3, 8), payload: EntryPayload::Blank },
                Entry { log_id: log_id(3, 9), payload: EntryPayload::Normal(command) },
            ],
            leader_commit: Some(log_id(2, 6)),
        };
        assert_eq!(last_log_id(&request), Some(log_id(3, 9)));
        let back = append_from_pb(append_to_pb(&request, pb::PeerStamp::default())).unwrap();
        assert_eq!(back.vote, request.vote);
        assert_eq!(back.prev_log_id, request.prev_log_id);
        assert_eq!(back.entries, request.entries);
        assert_eq!(back.leader_commit, request.leader_commit);
    }

    #[test]
    fn every_result_survives_the_wire() {
        for result in [
            Ok(None),
            Ok(Some(log_id(1, 4))),
            Err(StreamAppendError::Conflict(log_id(1, 2))),
            Err(StreamAppendError::HigherVote(vote(9, 2, false))),
        ] {
            let message = append_result_to_pb(&result, pb::PeerStamp::default());
            assert_eq!(append_result_from_pb(&message).unwrap(), result);
        }
        assert!(append_result_from_pb(&pb::AppendResponse::default()).is_err());
    }

    #[test]
    fn votes_survive_the_wire() {
        let request = VoteRequest::<TypeConfig> {
            vote: vote(4, 2, false),
            last_log_id: Some(log_id(3, 3)),
            leadership_transfer: true,
        };
        let message = vote_request_to_pb(&request, pb::PeerStamp::default());
        assert_eq!(vote_request_from_pb(&message).unwrap(), request);
        let response =
            VoteResponse::<TypeConfig> { vote: vote(4, 2, false), vote_granted: true, last_log_id: None };
        let message = vote_response_to_pb(&response, pb::PeerStamp::default());
        assert_eq!(vote_response_from_pb(&message).unwrap(), response);
        assert!(vote_request_from_pb(&pb::VoteRequest::default()).is_err());
    }
}
