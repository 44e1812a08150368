//! How a member ends, and what health says of it on the way.

use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use crate::process::{Member, wait_for};

async fn health(port: u16) -> HealthClient<tonic::transport::Channel> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
    HealthClient::new(endpoint.connect().await.unwrap())
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

/// A call that never ends by itself: it keeps the member draining while the two ends are held.
async fn reflection(
    port: u16,
) -> (mpsc::Sender<ServerReflectionRequest>, Streaming<ServerReflectionResponse>) {
    let channel = Channel::from_shared(format!("http://127.0.0.1:{port}")).unwrap().connect().await.unwrap();
    let (requests, outgoing) = mpsc::channel(1);
    let list = MessageRequest::ListServices(String::new());
    requests
        .send(ServerReflectionRequest { host: String::new(), message_request: Some(list) })
        .await
        .unwrap();
    let mut client = ServerReflectionClient::new(channel);
    let mut answers =
        client.server_reflection_info(ReceiverStream::new(outgoing)).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
    (requests, answers)
}

#[tokio::test]
async fn health_is_the_state_and_a_second_signal_ends_at_once() {
    let mut member = Member::new();
    member.set("stop.drain_timeout", "10m");
    member.kms.disable(&member.cmk).unwrap();
    let mut running = member.start();
    running.wait_state("sealed");
    let mut client = health(member.port).await;
    for service in ["", "coffer.v1.Documents", "coffer.v1.Admin"] {
        let status = client.check(of(service)).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::NotServing, "{service}");
    }
    member.kms.enable(&member.cmk).unwrap();
    running.wait_state("serving");
    let status = client.check(of("coffer.v1.Documents")).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
    let (_requests, _answers) = reflection(member.port).await;
    let mut watched = client.watch(of("")).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    running.terminate();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    running.signal(Signal::INT);
    assert_eq!(running.exit(), 130, "{}", running.log());
}

#[test]
fn a_killed_member_starts_again() {
    let member = Member::new();
    for _ in 0..3 {
        let mut running = member.start_serving();
        running.signal(Signal::KILL);
        running.exit();
    }
    let running = member.start_serving();
    assert!(running.http("/metrics").contains("coffer_incarnation 4"));
}

#[test]
fn log_lines_are_json_and_the_page_has_its_types() {
    let member = Member::new();
    let running = member.start_serving();
    wait_for("a leader", || running.http("/metrics").contains("coffer_raft_leader_id 1"));
    for line in running.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["fields"]["message"].is_string(), "{line}");
    }
    let page = running.http("/metrics");
    for wanted in [
        "# HELP coffer_raft_applied_index ",
        "# TYPE coffer_raft_applied_index gauge",
        "coffer_build_info{version=",
        "coffer_raft_role{role=\"leader\"} 1",
        "coffer_member_state{state=\"serving\"} 1",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(running.http("/").starts_with("HTTP/1.1 404"));
}
