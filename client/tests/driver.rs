//! The driver against members that misbehave as told.

mod support;

use std::time::{Duration, Instant};

use bson::{Bson, doc};
use coffer_client::{
    Client, ClientOptions, CountOptions, Error, ErrorKind, FindOptions, InsertManyOptions, ReadConcern,
    UpdateOptions,
};
use coffer_proto::v1::{
    AlertsRequest, FindResponse, KmsChangeRequest, KmsOverrideRequest, Member, MemberState, RaftRole,
    RotateMasterKeyRequest,
};
use futures::TryStreamExt;
use support::{FakeMember, KeyCall, Proxy, Step, failure, not_leader};
use tokio::net::TcpListener;
use tonic::{Code, Status};

/// Long enough for a busy machine, for calls that are to succeed.
const PATIENT: Duration = Duration::from_secs(30);

fn client<'a>(endpoints: impl IntoIterator<Item = &'a str>, deadline: Duration) -> Client {
    let options = ClientOptions { deadline, ..ClientOptions::new(endpoints) };
    Client::connect(options).unwrap()
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

fn batch(ids: std::ops::Range<i32>, applied_index: u64) -> FindResponse {
    let documents = ids.map(|id| doc! { "_id": id }.to_vec().unwrap().into()).collect();
    FindResponse { documents, applied_index }
}

#[tokio::test]
async fn a_write_follows_the_leader_and_remembers_it() {
    let (follower, leader) = (FakeMember::start(1).await, FakeMember::start(2).await);
    // The follower's own status is behind: it still says that it leads.
    follower.on_insert([Step::Fail(not_leader(Some((2, &leader.address))))]);
    let client = client([follower.address.as_str()], PATIENT);
    let collection = client.database("d").collection("c");
    collection.insert_one(doc! { "a": 1 }).await.unwrap();
    collection.insert_one(doc! { "a": 2 }).await.unwrap();
    assert_eq!((follower.inserts().len(), leader.inserts().len()), (1, 2));
    assert_eq!(client.admin().endpoints(), [follower.address, leader.address]);
}

#[tokio::test]
async fn a_leader_that_may_not_be_learned_is_found_among_the_endpoints() {
    let (first, second) = (FakeMember::start(1).await, FakeMember::start(2).await);
    first.follow(&second, 4);
    second.set_status(|status| {
        status.term = 4;
        // As behind a tunnel: its own address means nothing here.
        status.leader_address = "inside.example:27101".into();
    });
    first.set_status(|status| status.leader_address = "inside.example:27101".into());
    let options = ClientOptions {
        learn_members: false,
        deadline: PATIENT,
        ..ClientOptions::new([first.address.as_str(), second.address.as_str()])
    };
    let client = Client::connect(options).unwrap();
    client.database("d").collection("c").insert_one(doc! {}).await.unwrap();
    assert_eq!((first.inserts().len(), second.inserts().len()), (0, 1));
    // Now the leadership moves, and the redirect names the first by its id and an address of elsewhere.
    second.on_insert([Step::Fail(not_leader(Some((1, "inside.example:27102"))))]);
    client.database("d").collection("c").insert_one(doc! {}).await.unwrap();
    assert_eq!((first.inserts().len(), second.inserts().len()), (1, 2));
}

#[tokio::test]
async fn a_stale_leader_loses_to_the_higher_term() {
    let (stale, leader) = (FakeMember::start(1).await, FakeMember::start(2).await);
    leader.set_status(|status| status.term = 9);
    let client = client([stale.address.as_str(), leader.address.as_str()], PATIENT);
    client.database("d").collection("c").insert_one(doc! {}).await.unwrap();
    assert_eq!((stale.inserts().len(), leader.inserts().len()), (0, 1));
}

#[tokio::test]
async fn a_write_is_retried_with_the_same_token_and_the_same_id() {
    let member = FakeMember::start(1).await;
    member.on_insert([
        Step::Fail(Status::unavailable("going away")),
        Step::Fail(not_leader(None)),
        Step::Fail(failure(Code::Unavailable, "NOT_SERVING", &[])),
        Step::Fail(failure(Code::Unavailable, "OUTCOME_UNKNOWN", &[])),
    ]);
    let client = client([member.address.as_str()], PATIENT);
    let collection = client.database("d").collection("c");
    let inserted = collection.insert_one(doc! { "a": 1 }).await.unwrap();
    let requests = member.inserts();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().all(|request| *request == requests[0]), "a retry is the same to the byte");
    assert!(matches!(inserted.id, Bson::ObjectId(_)));

    collection.insert_one(doc! { "a": 2 }).await.unwrap();
    let tokens = member.tokens();
    let (first, next) = (&tokens[0], &tokens[5]);
    assert_eq!((first.session_id.len(), &first.session_id), (16, &next.session_id));
    assert_eq!((first.sequence, next.sequence), (1, 2));
}

#[tokio::test]
async fn a_write_whose_connection_breaks_is_sent_again_with_its_token() {
    let member = FakeMember::start(1).await;
    let proxy = Proxy::to(&member.address).await;
    member.on_insert([Step::Hang]);
    let options = ClientOptions {
        learn_members: false,
        deadline: PATIENT,
        ..ClientOptions::new([proxy.address.as_str()])
    };
    let client = Client::connect(options).unwrap();
    let cutting = async {
        member.wait_for_inserts(1).await;
        proxy.cut();
    };
    let collection = client.database("d").collection("c");
    let (inserted, ()) = tokio::join!(collection.insert_one(doc! { "a": 1 }), cutting);
    inserted.unwrap();
    let tokens = member.tokens();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1]);
    assert_eq!(member.stored().len(), 1);
}

#[tokio::test]
async fn a_write_without_an_answer_is_unknown_and_its_session_is_not_used_again() {
    let member = FakeMember::start(1).await;
    member.on_insert(std::iter::repeat_n(Step::Hang, 100));
    let deadline = Duration::from_millis(600);
    let client = client([member.address.as_str()], deadline);
    let collection = client.database("d").collection("c");
    let started = Instant::now();
    let error = collection.insert_one(doc! { "a": 1 }).await.unwrap_err();
    assert!(started.elapsed() >= deadline && started.elapsed() < deadline + Duration::from_secs(5));
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert_eq!(error.kind().exit_status(), 3);

    let lost = member.tokens()[0].session_id.clone();
    let _ = collection.insert_one(doc! { "a": 2 }).await;
    let last = member.tokens().pop().unwrap();
    assert_ne!(last.session_id, lost);
}

#[tokio::test]
async fn a_write_that_was_lost_once_stays_unknown_when_everybody_is_gone() {
    let member = FakeMember::start(1).await;
    let proxy = Proxy::to(&member.address).await;
    // It takes effect, the answer is lost, and nobody serves from then on.
    member.on_insert(
        std::iter::once(Step::ServeAndFail(failure(Code::Unavailable, "OUTCOME_UNKNOWN", &[])))
            .chain(std::iter::repeat_n(Step::Fail(failure(Code::Unavailable, "SEALED", &[])), 1000)),
    );
    let options = ClientOptions {
        deadline: Duration::from_millis(500),
        give_up_after: Some(Duration::ZERO),
        learn_members: false,
        ..ClientOptions::new([proxy.address.as_str()])
    };
    let client = Client::connect(options).unwrap();
    let error = client.database("d").collection("c").insert_one(doc! {}).await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert_eq!(member.stored().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let member = FakeMember::start(1).await;
    let metadata = [("code", "2"), ("code_name", "BadValue")];
    member.on_insert([Step::Fail(failure(Code::InvalidArgument, "REFUSED", &metadata))]);
    let client = client([member.address.as_str()], PATIENT);
    let collection = client.database("d").collection("c");
    let error = collection.insert_one(doc! {}).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(2)));
    assert_eq!(error.to_string(), "because of REFUSED (BadValue, code 2)");
    assert_eq!(member.inserts().len(), 1);

    collection.insert_one(doc! { "_id": 1 }).await.unwrap();
    let error = collection.insert_one(doc! { "_id": 1 }).await.unwrap_err();
    assert_eq!(error.code(), Some(11000));
}

#[tokio::test]
async fn a_busy_member_is_asked_again_after_a_pause() {
    let member = FakeMember::start(1).await;
    let busy = failure(Code::ResourceExhausted, "OVERLOADED", &[("retry_after_ms", "150")]);
    member.on_insert([Step::Fail(busy.clone()), Step::Fail(busy.clone())]);
    let started = Instant::now();
    let patient = client([member.address.as_str()], PATIENT);
    patient.database("d").collection("c").insert_one(doc! {}).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(member.inserts().len(), 3);

    member.on_insert(std::iter::repeat_n(Step::Fail(busy), 1000));
    let hasty = client([member.address.as_str()], Duration::from_millis(400));
    let error = hasty.database("d").collection("c").insert_one(doc! {}).await.unwrap_err();
    assert!(matches!(error, Error::Overloaded { .. }), "{error}");
}

#[tokio::test]
async fn sealed_members_are_reported_as_such() {
    let (one, two) = (FakeMember::start(1).await, FakeMember::start(2).await);
    for member in [&one, &two] {
        member.set_status(|status| {
            status.state = MemberState::Sealed.into();
            status.role = RaftRole::Unspecified.into();
            status.leader_id = 0;
            status.state_reason = "the CMK is disabled".into();
        });
    }
    let options = ClientOptions {
        give_up_after: Some(Duration::from_millis(100)),
        deadline: PATIENT,
        ..ClientOptions::new([one.address.as_str(), two.address.as_str(), nobody().await.as_str()])
    };
    let client = Client::connect(options).unwrap();
    let error = client.database("d").collection("c").insert_one(doc! {}).await.unwrap_err();
    assert_eq!((error.kind(), error.kind().exit_status()), (ErrorKind::Sealed, 3));
    assert!(error.to_string().contains("the CMK is disabled"), "{error}");
    assert_eq!(one.inserts().len() + two.inserts().len(), 0);
    // They are unsealed: the same client goes on.
    one.set_status(|status| {
        status.state = MemberState::Serving.into();
        status.role = RaftRole::Leader.into();
        status.leader_id = 1;
    });
    client.database("d").collection("c").insert_one(doc! {}).await.unwrap();
}

#[tokio::test]
async fn an_unreachable_set_is_reported_with_every_endpoint() {
    let (one, two) = (nobody().await, nobody().await);
    let client = client([one.as_str(), two.as_str()], Duration::from_millis(300));
    let error = client.database("d").collection("c").insert_one(doc! {}).await.unwrap_err();
    let Error::Unreachable { endpoints, .. } = &error else { panic!("{error}") };
    let mut named: Vec<_> = endpoints.iter().map(|failure| failure.endpoint.clone()).collect();
    let mut wanted = vec![one, two];
    named.sort();
    wanted.sort();
    assert_eq!(named, wanted);
    assert!(endpoints[0].reason.contains("cannot connect"), "{error}");
}

#[tokio::test]
async fn a_frozen_member_does_not_stop_the_others() {
    // It accepts connections and says nothing.
    let frozen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let frozen = (frozen.local_addr().unwrap().to_string(), frozen);
    let leader = FakeMember::start(2).await;
    let client = client([frozen.0.as_str(), leader.address.as_str()], PATIENT);
    client.database("d").collection("c").insert_one(doc! {}).await.unwrap();
    let local = CountOptions { read_concern: ReadConcern::Local, ..CountOptions::default() };
    let count = client.database("d").collection("c").count(&doc! {}, local).await.unwrap();
    assert_eq!((count.count, count.applied_index), (1, 7));
}

#[tokio::test]
async fn a_query_is_tried_again_up_to_its_first_batch() {
    let member = FakeMember::start(1).await;
    member.on_find([
        Step::Fail(failure(Code::Unavailable, "READ_NOT_CONFIRMED", &[])),
        Step::Fail(Status::unavailable("gone")),
    ]);
    member.stream(vec![Ok(batch(0..2, 5)), Ok(batch(2..2, 5)), Ok(batch(2..3, 5))], false);
    let client = client([member.address.as_str()], PATIENT);
    let collection = client.database("d").collection("c");
    let cursor = collection.find(&doc! {}, FindOptions::default()).await.unwrap();
    assert_eq!((cursor.applied_index(), member.finds()), (5, 3));
    let documents: Vec<_> = cursor.try_collect().await.unwrap();
    assert_eq!(documents, [doc! { "_id": 0 }, doc! { "_id": 1 }, doc! { "_id": 2 }]);

    let mut cursor = collection.find(&doc! {}, FindOptions::default()).await.unwrap();
    let mut sizes = Vec::new();
    while let Some(batch) = cursor.next_batch().await.unwrap() {
        sizes.push(batch.len());
    }
    assert_eq!(sizes, [2, 1]);
}

#[tokio::test]
async fn a_cursor_that_breaks_is_an_error_and_not_started_again() {
    let member = FakeMember::start(1).await;
    member.stream(vec![Ok(batch(0..2, 5)), Ok(batch(2..4, 5)), Err(Status::unavailable("killed"))], false);
    let client = client([member.address.as_str()], PATIENT);
    let collection = client.database("d").collection("c");
    let mut cursor = collection.find(&doc! {}, FindOptions::default()).await.unwrap();
    for id in 0..4 {
        assert_eq!(cursor.try_next().await.unwrap(), Some(doc! { "_id": id }));
    }
    let error = cursor.try_next().await.unwrap_err();
    assert!(matches!(error, Error::CursorBroken { delivered: 4, .. }), "{error}");
    assert_eq!(cursor.try_next().await.unwrap(), None);
    assert_eq!(member.finds(), 1);
}

#[tokio::test]
async fn a_cursor_of_two_snapshots_is_refused() {
    let member = FakeMember::start(1).await;
    member.stream(vec![Ok(batch(0..1, 5)), Ok(batch(1..2, 6))], false);
    let client = client([member.address.as_str()], PATIENT);
    let cursor = client.database("d").collection("c").find(&doc! {}, FindOptions::default()).await.unwrap();
    let error = cursor.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, Error::BadAnswer(_)), "{error}");
}

#[tokio::test]
async fn a_cursor_that_stalls_ends_at_its_deadline() {
    let member = FakeMember::start(1).await;
    member.stream(vec![Ok(batch(0..1, 5))], true);
    let client = client([member.address.as_str()], Duration::from_millis(300));
    let mut cursor =
        client.database("d").collection("c").find(&doc! {}, FindOptions::default()).await.unwrap();
    assert!(cursor.try_next().await.unwrap().is_some());
    let error = cursor.try_next().await.unwrap_err();
    assert!(matches!(error, Error::CursorBroken { delivered: 1, .. }), "{error}");
}

#[tokio::test]
async fn who_reads_slowly_reads_everything() {
    let member = FakeMember::start(1).await;
    let deadline = Duration::from_millis(200);
    // More than the connection holds by itself, so that the member has to wait for the reader.
    let large: Vec<_> = (0..40).map(|id| doc! { "_id": id, "x": "y".repeat(500_000) }).collect();
    let batches = large.iter().map(|document| FindResponse {
        documents: vec![document.to_vec().unwrap().into()],
        applied_index: 5,
    });
    member.stream(batches.map(Ok).collect(), false);
    let client = client([member.address.as_str()], deadline);
    let options = FindOptions::default();
    let cursor = client.database("d").collection("c").find(&doc! {}, options).await.unwrap();
    let started = Instant::now();
    let mut read = Vec::new();
    let mut cursor = std::pin::pin!(cursor);
    while let Some(document) = cursor.try_next().await.unwrap() {
        read.push(document);
        if read.len() == 10 {
            // The reader's own work, longer than the deadline.
            tokio::time::sleep(deadline * 3).await;
        }
    }
    assert!(started.elapsed() > deadline && read == large);
}

#[tokio::test]
async fn many_documents_travel_in_batches_of_one_session() {
    let member = FakeMember::start(1).await;
    let client = client([member.address.as_str()], Duration::from_secs(60));
    let collection = client.database("d").collection("c");
    let documents = (0..100_002).map(|id| doc! { "_id": if id == 100_001 { 0 } else { id } });
    let result = collection.insert_many(documents, InsertManyOptions { unordered: true }).await.unwrap();
    assert_eq!((result.inserted, result.ids.len(), result.applied_index), (100_001, 100_002, 7));
    assert_eq!(result.errors.len(), 1);
    assert_eq!((result.errors[0].index, result.errors[0].code), (100_001, 11000));
    let sizes: Vec<_> = member.inserts().iter().map(|request| request.documents.len()).collect();
    assert_eq!(sizes, [100_000, 2]);
    let tokens = member.tokens();
    assert_eq!(tokens[0].session_id, tokens[1].session_id);
    assert_eq!((tokens[0].sequence, tokens[1].sequence), (1, 2));
}

#[tokio::test]
async fn an_ordered_insert_stops_at_the_first_refusal() {
    let member = FakeMember::start(1).await;
    let client = client([member.address.as_str()], PATIENT);
    let collection = client.database("d").collection("c");
    let documents = [doc! { "_id": 1 }, doc! { "_id": 1 }, doc! { "_id": 2 }];
    let result = collection.insert_many(documents, InsertManyOptions::default()).await.unwrap();
    assert_eq!((result.inserted, result.errors[0].index), (1, 1));
    assert_eq!(member.stored(), [doc! { "_id": 1 }]);
}

#[tokio::test]
async fn a_failed_later_batch_says_what_is_done() {
    let member = FakeMember::start(1).await;
    let refused = failure(Code::InvalidArgument, "REFUSED", &[("code", "2"), ("code_name", "BadValue")]);
    member.on_insert([Step::Serve, Step::Fail(refused)]);
    let client = client([member.address.as_str()], Duration::from_secs(60));
    let documents = (0..100_001).map(|id| doc! { "_id": id });
    let collection = client.database("d").collection("c");
    let error = collection.insert_many(documents, InsertManyOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Partial { done: 100_000, .. }), "{error}");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(2)));
}

#[tokio::test]
async fn concurrent_writes_have_a_session_each() {
    let member = FakeMember::start(1).await;
    let client = client([member.address.as_str()], PATIENT);
    // The first is held until the second has arrived.
    member.on_insert([Step::Hang]);
    let collection = client.database("d").collection("c");
    let first = tokio::spawn({
        let collection = collection.clone();
        async move { collection.insert_one(doc! {}).await }
    });
    member.wait_for_inserts(1).await;
    collection.insert_one(doc! {}).await.unwrap();
    let tokens = member.tokens();
    assert_ne!(tokens[0].session_id, tokens[1].session_id);
    first.abort();
}

#[tokio::test]
async fn every_request_carries_its_deadline() {
    let member = FakeMember::start(1).await;
    let client = client([member.address.as_str()], Duration::from_secs(8));
    client.database("d").collection("c").insert_one(doc! {}).await.unwrap();
    let timeouts = member.timeouts();
    // Microseconds: half of what is left, for the first try.
    let micros: u64 = timeouts[0].strip_suffix('u').unwrap().parse().unwrap();
    assert!((1_000_000..=4_000_000).contains(&micros), "{timeouts:?}");
}

#[tokio::test]
async fn a_change_of_the_membership_is_not_sent_twice() {
    let member = FakeMember::start(1).await;
    member.on_change([Step::Fail(Status::unavailable("cut")), Step::Fail(not_leader(None))]);
    let client = client([member.address.as_str()], PATIENT);
    let error = client.admin().add_member(4, "d:4").await.unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error}");
    assert_eq!(member.changes(), 1);
    // What surely did nothing is tried again.
    client.admin().add_member(4, "d:4").await.unwrap();
    assert_eq!(member.changes(), 3);
    let error = client.admin().promote_member(4).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(client.admin().transfer_leader(Some(3)).await.unwrap(), 3);
}

#[tokio::test]
async fn a_local_read_needs_no_leader() {
    let member = FakeMember::start(1).await;
    member.set_status(|status| {
        status.role = RaftRole::Candidate.into();
        status.leader_id = 0;
    });
    let gone = nobody().await;
    let client = client([gone.as_str(), member.address.as_str()], PATIENT);
    let local = FindOptions { read_concern: ReadConcern::Local, ..FindOptions::default() };
    let cursor = client.database("d").collection("c").find(&doc! {}, local).await.unwrap();
    assert_eq!(cursor.try_collect::<Vec<_>>().await.unwrap(), []);
}

#[tokio::test]
async fn a_status_of_all_shows_learned_and_dead_members() {
    let (one, two) = (FakeMember::start(1).await, FakeMember::start(2).await);
    let gone = nobody().await;
    two.follow(&one, 1);
    let members = [(1, &one.address), (2, &two.address), (3, &gone)].map(|(id, address)| Member {
        id,
        address: address.clone(),
        voter: true,
    });
    one.set_status(|status| status.members = members.to_vec());
    let client = client([one.address.as_str()], PATIENT);
    let reports = client.admin().status_all().await;
    let seen: Vec<_> =
        reports.iter().map(|report| (report.endpoint.as_str(), report.status.is_ok())).collect();
    assert_eq!(seen, [(one.address.as_str(), true), (two.address.as_str(), true), (gone.as_str(), false)]);
}

#[tokio::test]
async fn a_mistake_is_found_before_anything_is_sent() {
    assert!(matches!(Client::connect(ClientOptions::default()), Err(Error::Invalid(_))));
    assert!(matches!(Client::connect(ClientOptions::new(["nowhere"])), Err(Error::Invalid(_))));
    let member = FakeMember::start(1).await;
    let client = client([member.address.as_str()], PATIENT);
    let collection = client.database("d").collection("c");
    let huge = doc! { "a": "x".repeat(coffer_client::MAX_DOCUMENT_BYTES) };
    assert!(matches!(collection.insert_one(huge).await, Err(Error::Invalid(_))));
    let update = collection.update_one(&doc! {}, &doc! { "a": 1 }, UpdateOptions::default()).await;
    assert!(matches!(update, Err(Error::Invalid(_))));
    assert_eq!(member.inserts().len(), 0);
}

#[tokio::test]
async fn what_changes_keys_goes_to_the_leader_and_once() {
    let (leader, other) = (FakeMember::start(1).await, FakeMember::start(2).await);
    other.follow(&leader, 1);
    let keys = client([other.address.as_str(), &leader.address], PATIENT).key_admin();
    assert_eq!(keys.rotate_master_key(Some(2)).await.unwrap(), 7);
    assert_eq!(keys.rotate_database_key("iso").await.unwrap(), 3);
    assert_eq!(keys.set_encryption(true).await.unwrap(), 2);
    assert_eq!(keys.defer_rotation(7).await.unwrap(), "2026-12-01T00:00:00Z");
    let seen = leader.key_calls();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0], KeyCall::RotateMaster(RotateMasterKeyRequest { member_id: 2 }));
    assert_eq!(other.key_calls(), []);

    let refused = failure(Code::FailedPrecondition, "REFUSED", &[("help_code", "CK0034")]);
    leader.set_keys(|keys| keys.refuse = Some(refused));
    let error = keys.kms_change(KmsChangeRequest::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.help_code()), (ErrorKind::Refused, Some("CK0034")));

    // Whether it was done is not known: it is not sent again.
    leader.set_keys(|keys| keys.refuse = Some(failure(Code::Unavailable, "OUTCOME_UNKNOWN", &[])));
    let error = keys.rotate_master_key(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_sealed_member_answers_what_concerns_its_key() {
    let member = FakeMember::start(1).await;
    member.seal("the CMK is disabled");
    let keys = client([member.address.as_str()], PATIENT).key_admin();
    member.set_keys(|keys| keys.show.active_region = "eu-west-1".into());
    assert_eq!(keys.kms_show(&member.address).await.unwrap().active_region, "eu-west-1");
    assert!(keys.alerts(&member.address, true).await.unwrap().alerts.is_empty());
    keys.kms_override(&member.address, "us-west-2", "arn:x").await.unwrap();
    let sent = KmsOverrideRequest { region: "us-west-2".into(), trust_cmk_arn: "arn:x".into() };
    assert_eq!(
        member.key_calls(),
        [KeyCall::Show, KeyCall::Alerts(AlertsRequest { history: true }), KeyCall::Override(sent)]
    );
    let error = keys.acknowledge_alert(&member.address, "1/clock/", "me").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}
