//! The document service, called as [`Caller::run`] demands.

use std::future::Future;
use std::time::Duration;

use coffer_proto::v1::RetryToken;
use coffer_proto::v1::documents_client::DocumentsClient;
use coffer_proto::wire::MAX_CLIENT_MESSAGE_BYTES;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::call::Caller;
use crate::operation::Plan;
use crate::{Error, Result};

pub(crate) fn documents(channel: Channel) -> DocumentsClient<Channel> {
    DocumentsClient::new(channel)
        .max_decoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_CLIENT_MESSAGE_BYTES)
}

/// A request that tells the member how long the caller waits (`grpc-timeout`).
pub(crate) fn timed<Q>(message: Q, limit: Duration) -> Request<Q> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

impl Caller {
    /// Reads: every try is the same request.
    pub(crate) async fn read<Q, T, F, Fut>(&self, plan: Plan, message: Q, send: F) -> Result<T>
    where
        Q: Clone,
        F: Fn(DocumentsClient<Channel>, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        self.run(plan, |channel, limit| {
            let answer = send(documents(channel), timed(message.clone(), limit));
            async move { Ok(answer.await?.into_inner()) }
        })
        .await
    }

    /// Writes: every try carries the same token.
    pub(crate) async fn write<Q, T, F, Fut>(
        &self,
        message: impl FnOnce(RetryToken) -> Q,
        send: F,
    ) -> Result<T>
    where
        Q: Clone,
        F: Fn(DocumentsClient<Channel>, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let lease = self.sessions.lease();
        let result = self.read(Plan::WRITE, message(lease.token()), send).await;
        match &result {
            Ok(_) | Err(Error::Refused { .. }) => lease.settle(),
            // The write may still be on its way: its session goes with it.
            Err(_) => drop(lease),
        }
        result
    }
}
