//! A disk that takes no more: the member ends, and the next start goes on.

use bson::{doc, spec::BinarySubtype};
use coffer_proto::v1::{CountRequest, InsertRequest, documents_client::DocumentsClient};
use rustix::process::{Resource, Rlimit};

use crate::process::{Member, wait_for};

async fn client(port: u16) -> DocumentsClient<tonic::transport::Channel> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
    DocumentsClient::new(endpoint.connect().await.unwrap())
}

fn insert(id: i32, bytes: usize) -> InsertRequest {
    let payload = bson::Binary { subtype: BinarySubtype::Generic, bytes: vec![7; bytes] };
    InsertRequest {
        database: "d".to_owned(),
        collection: "c".to_owned(),
        documents: vec![doc! { "_id": id, "payload": payload }.to_vec().unwrap().into()],
        ..InsertRequest::default()
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_ends_the_member() {
    let member = Member::new();
    let mut running = member.start_serving();
    wait_for("a leader", || running.http("/metrics").contains("coffer_raft_leader_id 1"));
    let mut documents = client(member.port).await;
    documents.insert(insert(1, 10)).await.unwrap();
    // No file may grow beyond this any more: what a full disk is, without filling one.
    let limit = Rlimit { current: Some(256 << 10), maximum: Some(256 << 10) };
    rustix::process::prlimit(Some(running.pid()), Resource::Fsize, limit).unwrap();
    assert!(
        documents.insert(insert(2, 1 << 20)).await.is_err(),
        "it is on no disk, so it is not acknowledged"
    );
    assert_eq!(running.exit(), 74, "{}", running.log());
    assert!(running.log().contains("\"level\":\"ERROR\""), "{}", running.log());
    let running = member.start_serving();
    wait_for("a leader", || running.http("/metrics").contains("coffer_raft_leader_id 1"));
    let request =
        CountRequest { database: "d".to_owned(), collection: "c".to_owned(), ..CountRequest::default() };
    let count = client(member.port).await.count(request).await.unwrap().into_inner().count;
    assert_eq!(count, 1, "what was acknowledged is there, what was not is not");
}
