//! `grpc.health.v1`, whose watches end when the member stops.
//!
//! A watch goes on for as long as its client likes, and a stop waits for calls that run: it would always take as long as it
//! may, with one load balancer that watches.

use std::pin::Pin;

use futures::stream::once;
use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::{HealthReporter, HealthService};

/// Answers with what `reporter` is told, until `draining`.
pub(crate) fn server(reporter: &HealthReporter, draining: CancellationToken) -> HealthServer<impl Health> {
    HealthServer::new(Draining { inner: HealthService::from_health_reporter(reporter.clone()), draining })
}

struct Draining {
    inner: HealthService,
    draining: CancellationToken,
}

type Watch = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Draining {
    type WatchStream = Watch;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.inner.check(request).await
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Watch>, Status> {
        let states = self.inner.watch(request).await?.into_inner();
        // Said once more at the end, because the end may come before the last change does.
        let last = HealthCheckResponse { status: ServingStatus::NotServing as i32 };
        let states =
            states.take_until(self.draining.clone().cancelled_owned()).chain(once(async move { Ok(last) }));
        Ok(Response::new(Box::pin(states)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_watch_ends_when_the_member_drains() {
        let reporter = HealthReporter::new();
        reporter.set_service_status("", ServingStatus::Serving).await;
        let draining = CancellationToken::new();
        let service = Draining {
            inner: HealthService::from_health_reporter(reporter.clone()),
            draining: draining.clone(),
        };
        let request = Request::new(HealthCheckRequest { service: String::new() });
        let mut states = service.watch(request).await.unwrap().into_inner();
        let first = states.next().await.unwrap().unwrap();
        assert_eq!(first.status, ServingStatus::Serving as i32);
        assert!(timeout(Duration::from_millis(50), states.next()).await.is_err(), "it goes on");
        draining.cancel();
        let rest = timeout(Duration::from_secs(10), states.collect::<Vec<_>>()).await.unwrap();
        let rest: Vec<_> = rest.into_iter().map(|state| state.unwrap().status).collect();
        assert_eq!(rest, [ServingStatus::NotServing as i32]);
    }
}
