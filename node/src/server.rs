//! The one port: clients, peers, health and reflection.
//!
//! Invariants:
//! - It answers from the moment that the data directory is locked, in every state: what needs data refuses by itself.
//! - Health is the member's state and nothing else: SERVING while the member serves.
//! - A stop lets calls that run go on, until its deadline. A watch of the health, which only ends when its client wants, does
//!   not hold it up.

use std::sync::Arc;
use std::time::Duration;

use coffer_proto::v1::FILE_DESCRIPTOR_SET;
use coffer_proto::v1::admin_server::AdminServer;
use coffer_proto::v1::documents_server::DocumentsServer;
use coffer_proto::v1::key_admin_server::KeyAdminServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::health_service;
use crate::incoming::incoming;
use crate::member::{Member, MemberState};
use crate::services::{self, AdminService, DocumentsService, KeyAdminService};

/// Calls that one connection may have open at once; a client opens few, a peer a handful. The message of each is gathered
/// in memory before the call comes to a gate that counts bytes, so this is what bounds them until then.
const MAX_STREAMS: u32 = 128;

/// How often a silent connection is asked whether somebody is there, so that a machine that vanished does not hold its
/// places for hours (TCP's own keepalive would).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a new connection may take to say that it speaks HTTP/2; only from then on is it asked whether somebody is there.
const PREFACE_LIMIT: Duration = Duration::from_secs(10);

/// HTTP/2 windows: a batch of documents should not wait for window updates on a line with some latency.
const STREAM_WINDOW: u32 = 2 << 20;
/// For all streams of a connection together.
const CONNECTION_WINDOW: u32 = 8 << 20;

/// Largest headers of a call, in bytes; a client sends its metadata in far less.
const MAX_HEADERS: u32 = 16 << 10;

/// Answers on `listener` until the member drains, and then until the calls that run are done.
pub(crate) fn spawn(
    member: Arc<Member>,
    listener: TcpListener,
    max_connections: usize,
) -> Result<JoinHandle<Result<(), tonic::transport::Error>>, String> {
    let reporter = HealthReporter::new();
    let health = health_service::server(&reporter, member.draining().clone());
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| format!("reflection: {error}"))?;
    let router = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .tcp_nodelay(true)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADERS)
        .add_service(health)
        .add_service(reflection)
        .add_service(services::documents(member.clone()))
        .add_service(services::admin(member.clone()))
        .add_service(services::key_admin(member.clone()))
        .add_service(crate::raft::server(member.clone()))
        .add_service(crate::members::server(member.clone()));
    tokio::spawn(report_health(member.clone(), reporter));
    let stop = member.draining().clone();
    let connections = incoming(listener, max_connections, PREFACE_LIMIT, stop.clone());
    Ok(tokio::spawn(async move {
        router.serve_with_incoming_shutdown(connections, async move { stop.cancelled().await }).await
    }))
}

/// Keeps `grpc.health.v1` equal to the state of the member, for the whole server and for each public service.
async fn report_health(member: Arc<Member>, reporter: HealthReporter) {
    let mut condition = member.watch();
    drop(member);
    loop {
        let serving = condition.borrow_and_update().state == MemberState::Serving;
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in [
            "",
            <DocumentsServer<DocumentsService> as NamedService>::NAME,
            <AdminServer<AdminService> as NamedService>::NAME,
            <KeyAdminServer<KeyAdminService> as NamedService>::NAME,
        ] {
            reporter.set_service_status(service, status).await;
        }
        if condition.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use coffer_keyring::{ClusterId, MemberId};
    use tokio::net::TcpStream;
    use tokio::time::timeout;
    use tonic::transport::Endpoint;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;
    use crate::config::LimitsSection;
    use crate::key::KeyAccess;
    use crate::member::{Limits, MemberIdentity};

    #[tokio::test]
    async fn clients_that_only_listen_do_not_hold_up_a_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let identity = MemberIdentity {
            cluster_id: ClusterId::generate(),
            member_id: MemberId(1),
            address: address.to_string(),
        };
        let limits = Limits::from(&LimitsSection::default());
        let member = Member::new(identity, limits, KeyAccess::off());
        let server = spawn(member.clone(), listener, 8).unwrap();
        // One that says nothing, one that asked once, one that watches.
        let _silent = TcpStream::connect(address).await.unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let request = || HealthCheckRequest { service: String::new() };
        let mut asked = HealthClient::new(endpoint.connect().await.unwrap());
        asked.check(request()).await.unwrap();
        let mut watching = HealthClient::new(endpoint.connect().await.unwrap());
        let mut states = watching.watch(request()).await.unwrap().into_inner();
        states.message().await.unwrap().unwrap();
        member.enter(MemberState::Stopping, "it was asked to stop");
        member.drain();
        // Less than a silent connection may stay otherwise.
        timeout(PREFACE_LIMIT / 2, server).await.unwrap().unwrap().unwrap();
        let mut last = None;
        while let Some(state) = states.message().await.unwrap() {
            last = Some(state.status());
        }
        assert_eq!(last, Some(tonic_health::pb::health_check_response::ServingStatus::NotServing));
    }
}
