//! Counts every request by its method and code, around all services.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use coffer_proto::v1::FILE_DESCRIPTOR_SET;
use http::{Request, Response};
use metrics::{counter, histogram};
use prost::Message;
use prost_types::FileDescriptorSet;
use tower::{Layer, Service};

use super::{REQUEST_SECONDS, REQUESTS};

/// Methods that are no method of the public services: peers, health, reflection, mistakes.
const OTHER: &str = "other";

/// Puts the counting around a service.
#[derive(Clone)]
pub struct RequestMetricsLayer {
    methods: Arc<HashMap<String, Arc<str>>>,
}

impl RequestMetricsLayer {
    /// For the methods of the public services.
    pub fn new() -> Self {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
        let mut methods = HashMap::new();
        for file in set.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    methods.insert(path, Arc::from(format!("{}.{}", service.name(), method.name())));
                }
            }
        }
        Self { methods: Arc::new(methods) }
    }
}

impl Default for RequestMetricsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RequestMetricsLayer {
    type Service = RequestMetrics<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestMetrics { inner, methods: self.methods.clone() }
    }
}

/// A service whose requests are counted.
#[derive(Clone)]
pub struct RequestMetrics<S> {
    inner: S,
    methods: Arc<HashMap<String, Arc<str>>>,
}

impl<S, B, R> Service<Request<B>> for RequestMetrics<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    R: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = self.methods.get(request.uri().path()).cloned().unwrap_or_else(|| Arc::from(OTHER));
        let began = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            histogram!(REQUEST_SECONDS, "method" => method.clone()).record(began.elapsed().as_secs_f64());
            counter!(REQUESTS, "method" => method, "code" => code(&answer)).increment(1);
            answer
        })
    }
}

/// The name of the gRPC code: an error stands in the headers, a success or a stream has none there yet.
fn code<R, E>(answer: &Result<Response<R>, E>) -> &'static str {
    let Ok(response) = answer else { return "TRANSPORT" };
    match response.headers().get("grpc-status").map(http::HeaderValue::as_bytes) {
        None | Some(b"0") => "OK",
        Some(b"1") => "CANCELLED",
        Some(b"3") => "INVALID_ARGUMENT",
        Some(b"4") => "DEADLINE_EXCEEDED",
        Some(b"5") => "NOT_FOUND",
        Some(b"6") => "ALREADY_EXISTS",
        Some(b"7") => "PERMISSION_DENIED",
        Some(b"8") => "RESOURCE_EXHAUSTED",
        Some(b"9") => "FAILED_PRECONDITION",
        Some(b"10") => "ABORTED",
        Some(b"11") => "OUT_OF_RANGE",
        Some(b"12") => "UNIMPLEMENTED",
        Some(b"13") => "INTERNAL",
        Some(b"14") => "UNAVAILABLE",
        Some(b"15") => "DATA_LOSS",
        Some(b"16") => "UNAUTHENTICATED",
        Some(_) => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_those_of_the_public_services() {
        let layer = RequestMetricsLayer::new();
        let name = layer.methods.get("/coffer.v1.Documents/Insert").map(AsRef::as_ref);
        assert_eq!(name, Some("Documents.Insert"));
        assert!(layer.methods.contains_key("/coffer.v1.Admin/Status"));
        assert!(layer.methods.keys().all(|path| path.starts_with("/coffer.v1.")));
    }

    #[test]
    fn codes_are_read_from_the_headers() {
        let answer = |status: Option<&'static str>| -> Result<Response<()>, ()> {
            let mut response = Response::new(());
            if let Some(status) = status {
                response.headers_mut().insert("grpc-status", http::HeaderValue::from_static(status));
            }
            Ok(response)
        };
        assert_eq!(code(&answer(None)), "OK");
        assert_eq!(code(&answer(Some("8"))), "RESOURCE_EXHAUSTED");
        assert_eq!(code(&answer(Some("99"))), "UNKNOWN");
        assert_eq!(code::<(), ()>(&Err(())), "TRANSPORT");
    }
}
