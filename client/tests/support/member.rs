//! The member.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bson::{Bson, Document, doc};
use bytes::Bytes;
use coffer_proto::v1::admin_server::{Admin, AdminServer};
use coffer_proto::v1::documents_server::{Documents, DocumentsServer};
use coffer_proto::v1::key_admin_server::KeyAdminServer;
use coffer_proto::v1::*;
use coffer_proto::wire::MAX_CLIENT_MESSAGE_BYTES;
use futures::Stream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::keys::FakeKeys;
use super::script::{Script, Step};

#[derive(Debug, Default)]
struct Inner {
    status: Mutex<StatusResponse>,
    documents: Mutex<BTreeMap<Vec<u8>, Document>>,
    inserts: Mutex<Vec<InsertRequest>>,
    timeouts: Mutex<Vec<String>>,
    finds: Mutex<Vec<FindRequest>>,
    changes: Mutex<Vec<AddMemberRequest>>,
    insert: Script,
    find: Script,
    change: Script,
    /// What a find streams instead of what is stored.
    stream: Mutex<Option<Vec<Result<FindResponse, Status>>>>,
    /// Whether a find that has streamed everything stays open.
    stall: Mutex<bool>,
    keys: Mutex<FakeKeys>,
    hierarchy: Mutex<KeysResponse>,
}

/// A member with one collection, whatever its name, in its memory. It answers what its scripts say, and serves like a
/// leader after their end.
#[derive(Clone, Debug)]
pub struct FakeMember {
    pub address: String,
    inner: Arc<Inner>,
    /// How many inserts have arrived.
    arrived: Arc<watch::Sender<usize>>,
}

impl FakeMember {
    /// Starts member `id`, which says that it leads.
    pub async fn start(id: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let member = Self {
            address: address.clone(),
            inner: Arc::default(),
            arrived: Arc::new(watch::Sender::new(0)),
        };
        member.set_status(|status| {
            *status = StatusResponse {
                cluster_id: "test".into(),
                member_id: id,
                state: MemberState::Serving.into(),
                role: RaftRole::Leader.into(),
                leader_id: id,
                leader_address: address,
                term: 1,
                ..StatusResponse::default()
            };
        });
        let documents = DocumentsServer::new(member.clone())
            .max_decoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_CLIENT_MESSAGE_BYTES);
        let server = tonic::transport::Server::builder()
            .add_service(documents)
            .add_service(AdminServer::new(member.clone()))
            .add_service(KeyAdminServer::new(member.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        member
    }

    pub fn set_status(&self, change: impl FnOnce(&mut StatusResponse)) {
        change(&mut self.inner.status.lock().unwrap());
    }

    /// Makes it say that `leader` leads, and answer writes so.
    pub fn follow(&self, leader: &FakeMember, term: u64) {
        let id = leader.inner.status.lock().unwrap().member_id;
        let address = leader.address.clone();
        self.set_status(|status| {
            status.role = RaftRole::Follower.into();
            status.leader_id = id;
            status.leader_address = address;
            status.term = term;
        });
    }

    /// Makes it say that it waits for its key, and that nobody leads.
    pub fn seal(&self, reason: &str) {
        self.set_status(|status| {
            status.state = MemberState::Sealed.into();
            status.role = RaftRole::Unspecified.into();
            status.leader_id = 0;
            status.leader_address.clear();
            status.state_reason = reason.into();
        });
    }

    /// What only a leader does is refused with who leads.
    pub(super) fn leads(&self) -> Result<(), Status> {
        let status = self.inner.status.lock().unwrap();
        match (status.state(), status.role()) {
            (MemberState::Serving, RaftRole::Leader) => Ok(()),
            (MemberState::Sealed, _) => Err(super::failure(tonic::Code::Unavailable, "SEALED", &[])),
            _ => Err(super::not_leader(Some((status.leader_id, &status.leader_address)))),
        }
    }

    pub(super) fn keys(&self) -> &Mutex<FakeKeys> {
        &self.inner.keys
    }

    /// Sets the key hierarchy that it shows.
    pub fn set_hierarchy(&self, keys: KeysResponse) {
        *self.inner.hierarchy.lock().unwrap() = keys;
    }

    pub fn on_insert(&self, steps: impl IntoIterator<Item = Step>) {
        self.inner.insert.push(steps);
    }

    pub fn on_find(&self, steps: impl IntoIterator<Item = Step>) {
        self.inner.find.push(steps);
    }

    pub fn on_change(&self, steps: impl IntoIterator<Item = Step>) {
        self.inner.change.push(steps);
    }

    pub fn stream(&self, answers: Vec<Result<FindResponse, Status>>, stall: bool) {
        *self.inner.stream.lock().unwrap() = Some(answers);
        *self.inner.stall.lock().unwrap() = stall;
    }

    pub fn inserts(&self) -> Vec<InsertRequest> {
        self.inner.inserts.lock().unwrap().clone()
    }

    pub fn tokens(&self) -> Vec<RetryToken> {
        self.inserts().into_iter().map(|request| request.retry_token.unwrap()).collect()
    }

    pub fn finds(&self) -> usize {
        self.inner.finds.lock().unwrap().len()
    }

    pub fn changes(&self) -> usize {
        self.inner.changes.lock().unwrap().len()
    }

    pub fn timeouts(&self) -> Vec<String> {
        self.inner.timeouts.lock().unwrap().clone()
    }

    pub fn stored(&self) -> Vec<Document> {
        self.inner.documents.lock().unwrap().values().cloned().collect()
    }

    /// Waits until so many inserts have arrived.
    pub async fn wait_for_inserts(&self, count: usize) {
        self.arrived.subscribe().wait_for(|arrived| *arrived >= count).await.unwrap();
    }

    fn insert_now(&self, request: &InsertRequest) -> InsertResponse {
        let mut stored = self.inner.documents.lock().unwrap();
        let mut answer = InsertResponse { applied_index: 7, ..InsertResponse::default() };
        for (index, bytes) in request.documents.iter().enumerate() {
            let document = Document::from_reader(bytes.as_ref()).unwrap();
            let id = doc! { "_id": document.get("_id").unwrap() }.to_vec().unwrap();
            answer.ids.push(id.clone().into());
            if let Entry::Vacant(free) = stored.entry(id) {
                free.insert(document);
                answer.inserted += 1;
                continue;
            }
            answer.errors.push(WriteError {
                index: index as u32,
                code: 11000,
                code_name: "DuplicateKey".into(),
                message: "the _id is taken".into(),
            });
            if !request.unordered {
                break;
            }
        }
        answer
    }

    fn find_now(&self, request: &FindRequest) -> Vec<Result<FindResponse, Status>> {
        if let Some(answers) = self.inner.stream.lock().unwrap().clone() {
            return answers;
        }
        let filter = Document::from_reader(request.filter.as_ref()).unwrap();
        let wanted = filter.get_document("_id").ok().and_then(|id| id.get_array("$in").ok()).cloned();
        let documents: Vec<Bytes> = self
            .stored()
            .into_iter()
            .filter(|document| match (&wanted, filter.is_empty()) {
                (Some(wanted), _) => wanted.contains(document.get("_id").unwrap_or(&Bson::Null)),
                (None, true) => true,
                (None, false) => filter.iter().all(|(field, value)| document.get(field) == Some(value)),
            })
            .map(|document| document.to_vec().unwrap().into())
            .collect();
        // A batch for each document, so that cursors are used as such.
        let mut batches: Vec<_> = documents
            .into_iter()
            .map(|document| Ok(FindResponse { documents: vec![document], applied_index: 7 }))
            .collect();
        if batches.is_empty() {
            batches.push(Ok(FindResponse { documents: vec![], applied_index: 7 }));
        }
        batches
    }
}

type Batches = Pin<Box<dyn Stream<Item = Result<FindResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Documents for FakeMember {
    type FindStream = Batches;

    async fn insert(&self, request: Request<InsertRequest>) -> Result<Response<InsertResponse>, Status> {
        let timeout = request.metadata().get("grpc-timeout").map(|value| value.to_str().unwrap().to_owned());
        self.inner.timeouts.lock().unwrap().extend(timeout);
        let request = request.into_inner();
        self.inner.inserts.lock().unwrap().push(request.clone());
        self.arrived.send_modify(|arrived| *arrived += 1);
        self.inner.insert.play(async { Ok(self.insert_now(&request)) }).await
    }

    async fn find(&self, request: Request<FindRequest>) -> Result<Response<Batches>, Status> {
        if request.metadata().contains_key("grpc-timeout") {
            return Err(Status::invalid_argument("a query is not over at a time that is known before"));
        }
        let request = request.into_inner();
        self.inner.finds.lock().unwrap().push(request.clone());
        let batches = self.find_now(&request);
        let stall = *self.inner.stall.lock().unwrap();
        self.inner
            .find
            .play(async {
                let batches = futures::stream::iter(batches);
                Ok(if stall {
                    Box::pin(futures::StreamExt::chain(batches, futures::stream::pending())) as Batches
                } else {
                    Box::pin(batches)
                })
            })
            .await
    }

    async fn update(&self, _: Request<UpdateRequest>) -> Result<Response<UpdateResponse>, Status> {
        Ok(Response::new(UpdateResponse {
            matched: 2,
            modified: 1,
            applied_index: 8,
            ..UpdateResponse::default()
        }))
    }

    async fn delete(&self, _: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let deleted = std::mem::take(&mut *self.inner.documents.lock().unwrap()).len() as u64;
        Ok(Response::new(DeleteResponse { deleted, applied_index: 9 }))
    }

    async fn count(&self, _: Request<CountRequest>) -> Result<Response<CountResponse>, Status> {
        Ok(Response::new(CountResponse { count: self.stored().len() as u64, applied_index: 7 }))
    }

    async fn list_databases(
        &self,
        _: Request<ListDatabasesRequest>,
    ) -> Result<Response<ListDatabasesResponse>, Status> {
        let database =
            DatabaseInfo { name: "iso".into(), id: 3, collections: 1, documents: 7910, size_on_disk: 2048 };
        Ok(Response::new(ListDatabasesResponse { databases: vec![database], applied_index: 7 }))
    }

    async fn list_collections(
        &self,
        _: Request<ListCollectionsRequest>,
    ) -> Result<Response<ListCollectionsResponse>, Status> {
        Ok(Response::new(ListCollectionsResponse::default()))
    }

    async fn create_collection(
        &self,
        _: Request<CreateCollectionRequest>,
    ) -> Result<Response<CreateCollectionResponse>, Status> {
        Err(super::failure(
            tonic::Code::AlreadyExists,
            "REFUSED",
            &[("code", "48"), ("code_name", "NamespaceExists")],
        ))
    }

    async fn drop_collection(
        &self,
        _: Request<DropCollectionRequest>,
    ) -> Result<Response<DropCollectionResponse>, Status> {
        Ok(Response::new(DropCollectionResponse { documents: 5, applied_index: 10 }))
    }

    async fn drop_database(
        &self,
        _: Request<DropDatabaseRequest>,
    ) -> Result<Response<DropDatabaseResponse>, Status> {
        Ok(Response::new(DropDatabaseResponse { dropped: true, applied_index: 11 }))
    }
}

#[tonic::async_trait]
impl Admin for FakeMember {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        Ok(Response::new(self.inner.status.lock().unwrap().clone()))
    }

    async fn keys(&self, _: Request<KeysRequest>) -> Result<Response<KeysResponse>, Status> {
        let status = self.inner.status.lock().unwrap().clone();
        if status.state() == MemberState::Sealed {
            return Err(super::failure(tonic::Code::Unavailable, "SEALED", &[]));
        }
        let hierarchy = self.inner.hierarchy.lock().unwrap().clone();
        Ok(Response::new(KeysResponse { member_id: status.member_id, ..hierarchy }))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        Ok(Response::new(TransferLeaderResponse { leader_id: request.into_inner().to }))
    }

    async fn add_member(
        &self,
        request: Request<AddMemberRequest>,
    ) -> Result<Response<AddMemberResponse>, Status> {
        self.inner.changes.lock().unwrap().push(request.into_inner());
        self.inner.change.play(async { Ok(AddMemberResponse::default()) }).await
    }

    async fn promote_member(
        &self,
        _: Request<PromoteMemberRequest>,
    ) -> Result<Response<PromoteMemberResponse>, Status> {
        Err(super::failure(tonic::Code::FailedPrecondition, "MEMBERSHIP", &[]))
    }

    async fn remove_member(
        &self,
        _: Request<RemoveMemberRequest>,
    ) -> Result<Response<RemoveMemberResponse>, Status> {
        Ok(Response::new(RemoveMemberResponse::default()))
    }

    async fn state_hash(&self, _: Request<StateHashRequest>) -> Result<Response<StateHashResponse>, Status> {
        let documents = self.stored();
        let hash = vec![documents.len() as u8; 32].into();
        let collection = CollectionHash { collection: "c".into(), documents: documents.len() as u64, hash };
        Ok(Response::new(StateHashResponse {
            database_index: 7,
            applied_index: 7,
            collections: vec![collection],
        }))
    }
}
