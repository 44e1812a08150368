//! A replica set starts from nothing, and every kind of call works: through the driver, the command line, and what
//! stock gRPC clients expect.

use std::time::Duration;

use anyhow::Context;
use bson::{Document, doc};
use coffer_client::{CountOptions, FindOptions, InsertManyOptions, ReadConcern, UpdateOptions};
use coffer_cluster_tests::{ClusterBuilder, invariants};
use coffer_proto::v1::{MemberState, RaftRole};
use futures::TryStreamExt;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_through_the_driver() -> anyhow::Result<()> {
    let mut cluster = ClusterBuilder::new("driver-session").start().await?;
    let client = cluster.client()?;
    let people = client.database("town").collection("people");

    people.insert_one(doc! { "_id": 1, "name": "Ada", "age": 36, "tags": ["a"] }).await?;
    let more = (2..=20).map(|n| doc! { "_id": n, "name": format!("p{n:02}"), "age": n });
    let many = people.insert_many(more, InsertManyOptions::default()).await?;
    assert_eq!((many.inserted, many.errors.len()), (19, 0));
    let twice = people.insert_one(doc! { "_id": 1, "name": "Eve" }).await.unwrap_err();
    assert_eq!(twice.code(), Some(11000), "{twice}");

    let options = FindOptions {
        sort: Some(doc! { "age": -1 }),
        projection: Some(doc! { "name": 1, "_id": 0 }),
        skip: 1,
        limit: 2,
        ..FindOptions::default()
    };
    let found: Vec<Document> =
        people.find(&doc! { "age": { "$gt": 10 } }, options).await?.try_collect().await?;
    assert_eq!(found, [doc! { "name": "p20" }, doc! { "name": "p19" }]);

    let set = doc! { "$set": { "city.name": "London" }, "$inc": { "age": 1 }, "$push": { "tags": "b" } };
    let updated = people.update_one(&doc! { "_id": 1 }, &set, UpdateOptions::default()).await?;
    assert_eq!((updated.matched, updated.modified), (1, 1));
    let ada = people.find_one(&doc! { "city.name": "London" }, FindOptions::default()).await?;
    let expected =
        doc! { "_id": 1, "name": "Ada", "age": 37, "tags": ["a", "b"], "city": { "name": "London" } };
    assert_eq!(ada, Some(expected));
    let (some, mark) = (doc! { "_id": { "$gte": 11 } }, doc! { "$set": { "old": true } });
    assert_eq!(people.update_many(&some, &mark, UpdateOptions::default()).await?.modified, 10);
    let (absent, set) = (doc! { "_id": 99 }, doc! { "$set": { "new": true } });
    let upsert = people.update_one(&absent, &set, UpdateOptions { upsert: true }).await?;
    assert_eq!(upsert.upserted_id, Some(99.into()));

    assert_eq!(people.delete_one(&doc! { "_id": 99 }).await?.deleted, 1);
    assert_eq!(people.delete_many(&doc! { "old": true, "_id": { "$in": [11, 12] } }).await?.deleted, 2);
    assert_eq!(people.count(&doc! {}, CountOptions::default()).await?.count, 18);
    assert_eq!(people.count(&doc! { "old": { "$exists": false } }, CountOptions::default()).await?.count, 10);

    // Every member answers a local read by itself once it has caught up.
    cluster.wait_converged(Duration::from_secs(10)).await?;
    for member in cluster.members() {
        let collection = member.client()?.database("town").collection("people");
        let local = CountOptions { read_concern: ReadConcern::Local, ..CountOptions::default() };
        assert_eq!(collection.count(&doc! {}, local).await?.count, 18, "member {}", member.id());
    }
    invariants::hashes_agree(&mut cluster, "town", Duration::from_secs(10)).await?;

    client.database("town").collection("empty").create().await?;
    let names: Vec<_> =
        client.database("town").list_collections().await?.into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["empty", "people"]);
    assert_eq!(people.drop().await?.documents, 18);
    assert_eq!(people.count(&doc! {}, CountOptions::default()).await?.count, 0);
    assert!(client.database("town").drop().await?.dropped);
    assert!(!client.database("town").drop().await?.dropped);
    let names: Vec<_> = client.list_databases().await?.into_iter().map(|d| d.name).collect();
    assert!(!names.contains(&"town".to_owned()), "{names:?}");
    cluster.finish()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_health_and_reflection_answer_on_every_member() -> anyhow::Result<()> {
    let cluster = ClusterBuilder::new("stock-clients").start().await?;
    cluster.client()?.database("one").collection("c").insert_one(doc! { "_id": 1 }).await?;

    let mut leaders = 0;
    for member in cluster.members() {
        let status = member.status().await?;
        assert_eq!(status.member_id, member.id());
        assert_eq!(status.state(), MemberState::Serving);
        assert_eq!(status.members.len(), 3);
        assert!(status.members.iter().all(|m| m.voter), "{:?}", status.members);
        leaders += u32::from(status.role() == RaftRole::Leader);
        let encryption = status.encryption.context("what is said of encryption")?;
        assert!(encryption.enabled);
        assert_eq!(encryption.cmk_arn, cluster.kms().cmk().to_string());

        assert_eq!(member.health().await?, ServingStatus::Serving);
        let services = reflected_services(member.connect().await?).await?;
        for service in ["coffer.v1.Documents", "coffer.v1.Admin", "grpc.health.v1.Health"] {
            assert!(services.iter().any(|name| name == service), "{service} is not in {services:?}");
        }

        let keys = member.keys().await?;
        let levels: Vec<_> = keys.keys.iter().map(|key| key.level.as_str()).collect();
        for level in ["cmk", "master", "raft", "database"] {
            assert!(levels.contains(&level), "{level} is not in {levels:?}");
        }
    }
    assert_eq!(leaders, 1);
    invariants::independent_keys(
        &cluster.members().iter().map(|member| member.keystore()).collect::<Vec<_>>(),
    )?;
    cluster.finish()
}

async fn reflected_services(channel: tonic::transport::Channel) -> anyhow::Result<Vec<String>> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let requests = futures::stream::iter([request]);
    let mut answers =
        ServerReflectionClient::new(channel).server_reflection_info(requests).await?.into_inner();
    let answer: ServerReflectionResponse = answers.try_next().await?.context("an answer of reflection")?;
    match answer.message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => anyhow::bail!("reflection answered {other:?}"),
    }
}
