//! A member without its keys answers what it is, and nothing else.

use bson::doc;
use coffer_keyring::{ClusterId, MemberId};
use coffer_proto::{
    v1::{
        KeysRequest, ListDatabasesRequest, MemberState as State, ReadConcern, StatusRequest,
        admin_client::AdminClient, documents_client::DocumentsClient,
    },
    wire::{error_metadata, reason as reasons},
};
use tokio::net::TcpListener;
use tonic::{Code, Status, transport::Channel};

use super::{insert, limits, reason};
use crate::{
    key::KeyAccess,
    member::{Member, MemberIdentity, MemberState},
    server,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_member_says_so_and_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let cluster_id = ClusterId::generate();
    let identity =
        MemberIdentity { cluster_id: cluster_id.clone(), member_id: MemberId(7), address: address.clone() };
    let member = Member::new(identity, limits(), KeyAccess::off());
    let server = server::spawn(member.clone(), listener, 10).unwrap();
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let (mut documents, mut admin) = (DocumentsClient::new(channel.clone()), AdminClient::new(channel));

    member.enter(MemberState::Sealed, "the key is disabled");
    let check = |status: Status| {
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("the key is disabled"), "{}", status.message());
        let (reason, metadata) = reason(&status);
        assert_eq!(reason, reasons::SEALED);
        assert!(metadata.contains_key(error_metadata::RETRY_AFTER_MS));
    };
    check(documents.insert(insert("rows", [doc! {}])).await.unwrap_err());
    let local = ListDatabasesRequest { read_concern: ReadConcern::Local.into() };
    check(documents.list_databases(local).await.unwrap_err());
    check(admin.keys(KeysRequest {}).await.unwrap_err());
    let status = admin.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.state(), status.state_reason.as_str()), (State::Sealed, "the key is disabled"));
    assert_eq!((status.cluster_id.as_str(), status.member_id), (cluster_id.as_str(), 7));

    member.enter(MemberState::Stopping, "it was asked to");
    let stopping = documents.insert(insert("rows", [doc! {}])).await.unwrap_err();
    assert_eq!(reason(&stopping).0, reasons::NOT_SERVING);
    server.abort();
}
