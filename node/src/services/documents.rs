//! The service `coffer.v1.Documents`.

use coffer_proto::v1::{self, documents_server::Documents};
use tonic::{Request, Response, Status};

use super::{
    context::Context,
    read::{self, FindStream},
    request_metrics::observed,
    write,
};

/// Answers applications.
pub struct DocumentsService {
    context: Context,
}

impl DocumentsService {
    /// The service within `context`.
    pub fn new(context: Context) -> Self {
        Self { context }
    }
}

/// One method: takes the request apart, and counts the call.
macro_rules! answer {
    ($self:ident, $method:literal, $request:ident, $run:path) => {{
        let (metadata, _, message) = $request.into_parts();
        observed($method, $run(&$self.context, &metadata, message)).await
    }};
}

#[tonic::async_trait]
impl Documents for DocumentsService {
    type FindStream = FindStream;

    async fn insert(
        &self,
        request: Request<v1::InsertRequest>,
    ) -> Result<Response<v1::InsertResponse>, Status> {
        answer!(self, "Insert", request, write::insert)
    }

    async fn find(&self, request: Request<v1::FindRequest>) -> Result<Response<FindStream>, Status> {
        answer!(self, "Find", request, read::find)
    }

    async fn update(
        &self,
        request: Request<v1::UpdateRequest>,
    ) -> Result<Response<v1::UpdateResponse>, Status> {
        answer!(self, "Update", request, write::update)
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Result<Response<v1::DeleteResponse>, Status> {
        answer!(self, "Delete", request, write::delete)
    }

    async fn count(&self, request: Request<v1::CountRequest>) -> Result<Response<v1::CountResponse>, Status> {
        answer!(self, "Count", request, read::count)
    }

    async fn list_databases(
        &self,
        request: Request<v1::ListDatabasesRequest>,
    ) -> Result<Response<v1::ListDatabasesResponse>, Status> {
        answer!(self, "ListDatabases", request, read::list_databases)
    }

    async fn list_collections(
        &self,
        request: Request<v1::ListCollectionsRequest>,
    ) -> Result<Response<v1::ListCollectionsResponse>, Status> {
        answer!(self, "ListCollections", request, read::list_collections)
    }

    async fn create_collection(
        &self,
        request: Request<v1::CreateCollectionRequest>,
    ) -> Result<Response<v1::CreateCollectionResponse>, Status> {
        answer!(self, "CreateCollection", request, write::create_collection)
    }

    async fn drop_collection(
        &self,
        request: Request<v1::DropCollectionRequest>,
    ) -> Result<Response<v1::DropCollectionResponse>, Status> {
        answer!(self, "DropCollection", request, write::drop_collection)
    }

    async fn drop_database(
        &self,
        request: Request<v1::DropDatabaseRequest>,
    ) -> Result<Response<v1::DropDatabaseResponse>, Status> {
        answer!(self, "DropDatabase", request, write::drop_database)
    }
}
