//! What a member takes from its peers, and what it does not.

use coffer_keyring::{ClusterId, MemberId};
use coffer_proto::internal::v1::{self as pb, raft_client::RaftClient, recall_response::Answer};
use futures::stream;
use tokio::net::TcpListener;
use tonic::{Code, Request, transport::Channel};

use super::{ReplicaSet, limits, until};
use crate::{
    key::KeyAccess,
    member::{Member, MemberIdentity},
    raft::{Route, ask_recall},
    server,
};

fn identity(cluster: &ClusterId, member: u64) -> MemberIdentity {
    MemberIdentity {
        cluster_id: cluster.clone(),
        member_id: MemberId(member),
        address: "127.0.0.1:1".to_owned(),
    }
}

fn raft_client(address: &str) -> RaftClient<Channel> {
    RaftClient::new(Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy())
}

fn append(vote: (u64, u64, bool), entries: Vec<bytes::Bytes>) -> pb::AppendRequest {
    let (term, member_id, committed) = vote;
    pb::AppendRequest {
        vote: Some(pb::RecordVote { term, member_id, committed }),
        entries,
        ..pb::AppendRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_another_set_or_for_another_member_are_refused_before_anything_is_read() {
    let set = ReplicaSet::start_with(1, limits(), 1 << 30).await;
    let member = &set.members[0];
    let mut client = raft_client(&member.address);
    let term = member.term();
    let vote = pb::VoteRequest {
        vote: Some(pb::RecordVote { term: term + 10, member_id: 9, committed: false }),
        ..pb::VoteRequest::default()
    };
    let other = ClusterId::generate();
    let refused = client.vote(Route::new(&identity(&other, 9), 1).request(vote)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains(other.as_str()), "{}", refused.message());
    let refused = client.vote(Route::new(&identity(&set.cluster, 9), 2).request(vote)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let refused = client.vote(Route::new(&identity(&set.cluster, 1), 1).request(vote)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let refused = client.vote(Request::new(vote)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    // A vote for somebody else.
    let refused = client.vote(Route::new(&identity(&set.cluster, 8), 1).request(vote)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(member.term(), term, "no refused call moved the term");
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_append_ends_its_stream_after_the_answers_before_it() {
    let set = ReplicaSet::start_with(1, limits(), 1 << 30).await;
    let member = &set.members[0];
    let mut client = raft_client(&member.address);
    // A leader of an old term: it is answered, and hears of the higher vote.
    let old = append((0, 9, true), Vec::new());
    let request = Route::new(&identity(&set.cluster, 9), 1).request(stream::iter([old]));
    let mut answers = client.append(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert!(matches!(answer.result, Some(pb::append_response::Result::HigherVote(_))));
    assert!(answer.stamp.is_some_and(|stamp| stamp.incarnation == 1 && stamp.flushed.is_none()));
    assert!(answers.message().await.unwrap().is_none());

    let junk = bytes::Bytes::from_static(b"junk");
    for (broken, code) in [
        (pb::AppendRequest::default(), Code::InvalidArgument),
        (append((0, 9, true), vec![junk]), Code::InvalidArgument),
        (append((0, 9, false), Vec::new()), Code::FailedPrecondition),
        (append((0, 8, true), Vec::new()), Code::FailedPrecondition),
    ] {
        let request = Route::new(&identity(&set.cluster, 9), 1).request(stream::iter([broken]));
        let mut answers = client.append(request).await.unwrap().into_inner();
        assert_eq!(answers.message().await.unwrap_err().code(), code);
    }
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_snapshot_is_refused_and_leaves_the_member_as_it_was() {
    let set = ReplicaSet::start_with(1, limits(), 1 << 30).await;
    let member = &set.members[0];
    let mut client = raft_client(&member.address);
    let before = member.serving().engine.applied();
    let trailer = pb::SnapshotMessage {
        body: Some(pb::snapshot_message::Body::Trailer(pb::SnapshotTrailer::default())),
    };
    for messages in [Vec::new(), vec![trailer], vec![pb::SnapshotMessage::default()]] {
        let request = Route::new(&identity(&set.cluster, 9), 1).request(stream::iter(messages));
        let refused = client.snapshot(request).await.unwrap_err();
        assert!(matches!(refused.code(), Code::InvalidArgument | Code::Aborted), "{refused:?}");
    }
    assert_eq!(member.serving().engine.applied(), before);
    set.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_remember_each_other_and_answer_before_they_serve() {
    let set = ReplicaSet::start().await;
    let leader = set.leader().await;
    let follower = set.follower().await;
    until("the follower has heard what the leader flushed", || async {
        let answer = ask_recall(
            &identity(&set.cluster, leader.id),
            follower.id,
            &follower.address,
            std::time::Duration::from_secs(5),
        )
        .await
        .unwrap();
        matches!(answer, Answer::Remembered(stamp) if stamp.incarnation == 1 && stamp.flushed.is_some())
    })
    .await;
    let stranger = identity(&set.cluster, 77);
    let limit = std::time::Duration::from_secs(5);
    let stranger = ask_recall(&stranger, follower.id, &follower.address, limit);
    assert!(matches!(stranger.await.unwrap(), Answer::NeverSeen(_)));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let sealed = Member::new(identity(&set.cluster, 8), limits(), KeyAccess::off());
    let server = server::spawn(sealed.clone(), listener, 10).unwrap();
    let answer =
        ask_recall(&identity(&set.cluster, 1), 8, &address, std::time::Duration::from_secs(5)).await.unwrap();
    assert!(matches!(answer, Answer::StillSealed(_)));
    let vote = pb::VoteRequest {
        vote: Some(pb::RecordVote { term: 1, member_id: 1, committed: false }),
        ..pb::VoteRequest::default()
    };
    let request = Route::new(&identity(&set.cluster, 1), 8).request(vote);
    assert_eq!(raft_client(&address).vote(request).await.unwrap_err().code(), Code::Unavailable);
    server.abort();
    set.stop().await;
}
