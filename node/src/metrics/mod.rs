//! Metrics: the names of all of them, the helpers that services count with, and the page that Prometheus reads.
//!
//! Invariant: a label is one of a fixed set of words, never anything that a client sent: neither a name of its data nor a
//! number of series that it chooses.

mod http;
mod sample;

use std::sync::Arc;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub(crate) use http::serve;

use crate::alerts::AlertKind;
use crate::member::Member;

/// Calls that were answered; labels `method` and `outcome`. The services count them.
pub const REQUESTS: &str = "coffer_requests_total";
/// Seconds until a call was answered (for Find: until its first batch); labels `method` and `outcome`.
pub const REQUEST_SECONDS: &str = "coffer_request_seconds";
/// Requests refused because a queue was full; label `queue`.
pub const QUEUE_REFUSED: &str = "coffer_queue_refused_total";
/// Probes of the customer's key; label `verdict`.
pub const KMS_PROBES: &str = "coffer_kms_probes_total";
/// Alerts that were raised on this member; label `kind`.
pub const ALERTS_RAISED: &str = "coffer_alerts_raised_total";

/// Counts a request that was refused because `queue` (`writes`, `reads`, `cursors`) was full.
pub fn queue_refused(queue: &'static str) {
    counter!(QUEUE_REFUSED, "queue" => queue).increment(1);
}

/// Counts a probe of the customer's key.
pub(crate) fn probed(verdict: &'static str) {
    counter!(KMS_PROBES, "verdict" => verdict).increment(1);
}

/// Counts an alert that was raised; `kind` is one of [`crate::alerts::AlertKind`].
pub(crate) fn alert_raised(kind: AlertKind) {
    counter!(ALERTS_RAISED, "kind" => kind.name()).increment(1);
}

/// Bounds of the latency histogram, seconds: from a read out of memory to the default deadline.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Starts counting, once in a process; `None` where something else counts already.
pub(crate) fn start() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), &SECONDS)
        .inspect_err(|error| tracing::warn!(%error, "metrics"))
        .ok()?;
    let handle = builder
        .install_recorder()
        .inspect_err(|error| tracing::warn!(%error, "metrics cannot be started"))
        .ok()?;
    describe_counter!(REQUESTS, "Calls that were answered, by method and outcome");
    describe_histogram!(REQUEST_SECONDS, "Seconds until a call was answered");
    describe_counter!(QUEUE_REFUSED, "Requests refused because a queue was full");
    describe_counter!(KMS_PROBES, "Probes of the customer's key, by verdict");
    describe_counter!(ALERTS_RAISED, "Alerts that were raised on this member, by kind");
    for (name, text) in sample::GAUGES {
        describe_gauge!(name, text);
    }
    Some(handle)
}

/// The page that Prometheus reads, with the state of `member` as it is now.
fn page(member: &Arc<Member>, handle: &PrometheusHandle) -> String {
    sample::take(member);
    handle.run_upkeep();
    handle.render()
}
