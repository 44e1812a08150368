//! The page over HTTP: `/metrics`, `/livez` and `/readyz`, and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::member::{Member, MemberState};

/// Connections at once: a few scrapers and a load balancer's probes.
const MAX_CONNECTIONS: usize = 32;

/// How long a connection may stay open: whoever scrapes asks again.
const MAX_AGE: Duration = Duration::from_secs(60);

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers on `listener` until it is dropped.
pub(crate) async fn serve(member: Arc<Member>, listener: TcpListener, handle: PrometheusHandle) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "metrics: a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (member, handle) = (member.clone(), handle.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = answer(&member, &handle, request.method(), request.uri().path());
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            if let Ok(Err(error)) = timeout(MAX_AGE, connection).await {
                tracing::debug!(%error, "metrics: a connection ended");
            }
            drop(place);
        });
    }
}

fn answer(
    member: &Arc<Member>,
    handle: &PrometheusHandle,
    method: &Method,
    path: &str,
) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n".to_owned());
    }
    match path {
        "/metrics" => text(StatusCode::OK, super::page(member, handle)),
        // Alive, sealed or not: a supervisor that restarts a sealed member only delays it.
        "/livez" => text(StatusCode::OK, "alive\n".to_owned()),
        "/readyz" => {
            let condition = member.condition();
            let status = match condition.state {
                MemberState::Serving => StatusCode::OK,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            text(status, format!("{}: {}\n", condition.state, condition.reason))
        }
        _ => text(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
