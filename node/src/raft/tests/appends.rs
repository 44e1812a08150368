//! Appends and votes to peers that misbehave.

use std::time::{Duration, Instant};

use coffer_proto::internal::v1 as pb;
use coffer_storage::raft::{
    LogId, TypeConfig,
    wire::{log_id_from_pb, vote_from_pb},
};
use futures::{StreamExt, stream};
use openraft::{
    errors::RPCError,
    network::{NetBackoff, NetStreamAppend, NetVote, RPCOption},
    raft::{AppendEntriesRequest, StreamAppendError, StreamAppendResult, VoteRequest},
};

use super::fake_peer::{Behaviour, Does, absent_peer, fake_peer};
use crate::raft::peer_error::PeerError;

type Item = Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>;

fn log_id(index: u64) -> LogId {
    log_id_from_pb(&pb::RecordLogId { term: 1, index })
}

fn pb_log_id(index: u64) -> pb::RecordLogId {
    pb::RecordLogId { term: 1, index }
}

fn matched(index: u64) -> Does {
    Does::Answer(pb::append_response::Result::Matched(pb::AppendMatched { log_id: Some(pb_log_id(index)) }))
}

/// A heartbeat that appends nothing after `index`.
fn request(index: u64) -> AppendEntriesRequest<TypeConfig> {
    AppendEntriesRequest {
        vote: vote_from_pb(&pb::RecordVote { term: 1, member_id: 1, committed: true }),
        prev_log_id: Some(log_id(index)),
        entries: Vec::new(),
        leader_commit: None,
    }
}

fn option() -> RPCOption {
    RPCOption::new(Duration::from_secs(2))
}

/// The answers to appends after the indexes 1 to `count`; `stays` keeps the stream open after them.
async fn answers(behaviour: Behaviour, count: u64, stays: bool) -> Vec<Item> {
    let mut peer = fake_peer(behaviour).await;
    let requests = stream::iter((1..=count).map(request));
    let input = if stays { requests.chain(stream::pending()).boxed() } else { requests.boxed() };
    let stream = peer.stream_append(input, option()).await.unwrap();
    stream.collect().await
}

#[tokio::test]
async fn answers_come_in_order_and_the_stream_ends_with_its_requests() {
    let all = answers(|number, _| matched(number as u64 + 1), 100, false).await;
    let matched: Vec<Option<LogId>> = all.into_iter().map(|item| item.unwrap().unwrap()).collect();
    assert_eq!(matched, (1..=100).map(|index| Some(log_id(index))).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_not_an_answer_to_its_request_ends_the_stream() {
    let too_much: Behaviour = |_, _| matched(9);
    let elsewhere: Behaviour = |_, _| Does::Answer(pb::append_response::Result::Conflict(pb_log_id(7)));
    for behaviour in [too_much, elsewhere] {
        let all = answers(behaviour, 2, true).await;
        assert_eq!(all.len(), 1);
        assert!(matches!(all[0], Err(RPCError::Network(_))), "{all:?}");
    }
}

#[tokio::test]
async fn a_conflict_is_passed_on_and_is_the_last() {
    let all = answers(
        |number, _| match number {
            0 => matched(1),
            _ => Does::Answer(pb::append_response::Result::Conflict(pb_log_id(2))),
        },
        5,
        true,
    )
    .await;
    assert_eq!(all.len(), 2);
    assert!(matches!(&all[1], Ok(Err(StreamAppendError::Conflict(at))) if *at == log_id(2)), "{all:?}");
}

#[tokio::test]
async fn a_stream_that_ends_early_is_an_error() {
    let all = answers(|number, _| if number == 0 { matched(1) } else { Does::Ends }, 3, true).await;
    assert_eq!(all.len(), 2);
    assert!(matches!(all[1], Err(RPCError::Network(_))), "{all:?}");
}

#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let mut peer = fake_peer(|number, _| if number == 0 { matched(1) } else { Does::IsSilent }).await;
    let input = stream::iter([request(1), request(2)]).chain(stream::pending()).boxed();
    let mut exchange = peer.open_append_within(input, Duration::from_millis(200)).await.unwrap();
    assert!(exchange.next().await.unwrap().unwrap().is_ok());
    let silent = exchange.next().await.unwrap().unwrap_err();
    assert!(matches!(silent, PeerError::Silent { .. }) && silent.is_lasting(), "{silent}");

    let started = Instant::now();
    let vote = VoteRequest {
        vote: vote_from_pb(&pb::RecordVote { term: 2, member_id: 1, committed: false }),
        last_log_id: None,
        leadership_transfer: false,
    };
    let option = RPCOption::new(Duration::from_millis(200));
    assert!(peer.pre_vote(vote.clone(), option.clone()).await.is_err(), "silence is no vote");
    assert!(peer.vote(vote, option).await.is_err(), "nor is an answer without one");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_absent_peer_is_unreachable_and_grants_nothing() {
    let mut peer = absent_peer().await;
    let vote = VoteRequest {
        vote: vote_from_pb(&pb::RecordVote { term: 2, member_id: 1, committed: false }),
        last_log_id: None,
        leadership_transfer: false,
    };
    assert!(matches!(peer.pre_vote(vote.clone(), option()).await, Err(RPCError::Unreachable(_))));
    assert!(matches!(peer.vote(vote, option()).await, Err(RPCError::Unreachable(_))));
    let input = stream::iter([request(1)]).chain(stream::pending()).boxed();
    let opened = peer.stream_append(input, option()).await;
    assert!(matches!(opened.err(), Some(RPCError::Unreachable(_))));
    let pauses: Vec<Duration> = peer.backoff().unwrap().take(6).collect();
    assert!(pauses.is_sorted() && pauses[5] <= Duration::from_millis(500), "{pauses:?}");
}
