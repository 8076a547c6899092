//! The numbers of clusters that are guarded, and of their endpoints.
//!
//! Blocks of their own: clusters without guards neither have nor show them.

use super::counters::{Counter, Gauge};
use super::metric::{Block, Metric, Source};
use super::names::{counter, gauge};

/// The labels of detections: what stood out.
pub const CAUSES: [&str; 5] = [
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate",
    "failure_percentage",
];

/// Detections by cause.
#[derive(Debug, Default)]
pub struct Causes([Counter; CAUSES.len()]);

impl Causes {
    /// Counts one with the label at `index`.
    pub fn record(&self, index: usize) {
        if let Some(counter) = self.0.get(index) {
            counter.increment();
        }
    }
}

/// What a cluster's guards did. Gauges are set when somebody asks.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct GuardStats {
    /// Outliers found.
    pub ejections_detected: Causes,
    /// Endpoints left out for that.
    pub ejections_enforced: Causes,
    /// Outliers left in, because as many as may be were left out.
    pub ejections_overflow_total: Counter,
    /// Endpoints that are left out now.
    pub ejections_active: Gauge,
    /// Endpoints.
    pub membership: Gauge,
    /// Endpoints that get requests.
    pub membership_healthy: Gauge,
    /// Whether the limit of connections is reached.
    pub cx_open: Gauge,
    /// Whether the limit of requests is reached.
    pub rq_open: Gauge,
    /// Whether the limit of waiting requests is reached.
    pub rq_pending_open: Gauge,
    /// Connections that may still be made.
    pub remaining_cx: Gauge,
    /// Requests that may still begin.
    pub remaining_rq: Gauge,
    /// Requests that may still wait.
    pub remaining_pending: Gauge,
    /// Requests that wait for a connection.
    pub requests_pending: Gauge,
    /// F of the cluster's circuit.
    pub breaker_open: Gauge,
    /// How often F became 1, of the cluster and of its endpoints.
    pub breaker_opened_total: Counter,
    /// How often probes failed.
    pub breaker_reopened_total: Counter,
    /// How often F became 0.
    pub breaker_closed_total: Counter,
    /// Requests that were probes.
    pub breaker_probes_total: Counter,
    /// Requests refused by the cluster's circuit.
    pub breaker_refused_total: Counter,
}

/// What an endpoint's guards say. Set when somebody asks.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct EndpointGuardStats {
    /// F of the endpoint's circuit.
    pub breaker_open: Gauge,
    /// Whether it gets requests.
    pub available: Gauge,
}

const fn causes<B>(
    name: &'static str,
    help: &'static str,
    read: fn(&B) -> &[Counter],
) -> Metric<B> {
    let source = Source::Counters {
        label: "cause",
        values: &CAUSES,
        read,
    };
    Metric { name, help, source }
}

impl Block for GuardStats {
    const SCOPE: &'static str = "cluster";
    const LABELS: &'static [&'static str] = &["cluster"];
    const METRICS: &'static [Metric<Self>] = &[
        causes(
            "meshcore_cluster_outlier_detection_ejections_detected_total",
            "Outliers found, by cause.",
            |s| &s.ejections_detected.0,
        ),
        causes(
            "meshcore_cluster_outlier_detection_ejections_enforced_total",
            "Endpoints left out for a while, by cause.",
            |s| &s.ejections_enforced.0,
        ),
        counter(
            "meshcore_cluster_outlier_detection_ejections_overflow_total",
            "Outliers left in, because as many as may be were left out.",
            |s| &s.ejections_overflow_total,
        ),
        gauge(
            "meshcore_cluster_outlier_detection_ejections_active",
            "Endpoints that outlier detection leaves out now.",
            |s| &s.ejections_active,
        ),
        gauge("meshcore_cluster_membership", "Endpoints.", |s| {
            &s.membership
        }),
        gauge(
            "meshcore_cluster_membership_healthy",
            "Endpoints that get requests.",
            |s| &s.membership_healthy,
        ),
        gauge(
            "meshcore_cluster_circuit_breakers_cx_open",
            "Whether as many connections are open as `limits.max_connections` allows.",
            |s| &s.cx_open,
        ),
        gauge(
            "meshcore_cluster_circuit_breakers_rq_open",
            "Whether as many requests are under way as `limits.max_requests` allows.",
            |s| &s.rq_open,
        ),
        gauge(
            "meshcore_cluster_circuit_breakers_rq_pending_open",
            "Whether as many requests wait for a connection as `limits.max_pending_requests` allows.",
            |s| &s.rq_pending_open,
        ),
        gauge(
            "meshcore_cluster_circuit_breakers_remaining_cx",
            "Connections that may still be made; 0 without a limit.",
            |s| &s.remaining_cx,
        ),
        gauge(
            "meshcore_cluster_circuit_breakers_remaining_rq",
            "Requests that may still begin; 0 without a limit.",
            |s| &s.remaining_rq,
        ),
        gauge(
            "meshcore_cluster_circuit_breakers_remaining_pending",
            "Requests that may still wait for a connection; 0 without a limit.",
            |s| &s.remaining_pending,
        ),
        gauge(
            "meshcore_cluster_requests_pending",
            "Requests that wait for a connection, in clusters with `limits`.",
            |s| &s.requests_pending,
        ),
        gauge(
            "meshcore_cluster_breaker_open",
            "F(t) of the cluster's circuit: 0 closed, 1 open.",
            |s| &s.breaker_open,
        ),
        counter(
            "meshcore_cluster_breaker_opened_total",
            "How often a circuit opened: the cluster's, or that of one of its endpoints.",
            |s| &s.breaker_opened_total,
        ),
        counter(
            "meshcore_cluster_breaker_reopened_total",
            "How often probes failed and a circuit stayed open for longer.",
            |s| &s.breaker_reopened_total,
        ),
        counter(
            "meshcore_cluster_breaker_closed_total",
            "How often a circuit closed.",
            |s| &s.breaker_closed_total,
        ),
        counter(
            "meshcore_cluster_breaker_probes_total",
            "Requests that were let through an open circuit as probes.",
            |s| &s.breaker_probes_total,
        ),
        counter(
            "meshcore_cluster_breaker_refused_total",
            "Requests refused because the cluster's circuit was open.",
            |s| &s.breaker_refused_total,
        ),
    ];
}

impl Block for EndpointGuardStats {
    const SCOPE: &'static str = "endpoint";
    const LABELS: &'static [&'static str] = &["cluster", "endpoint"];
    const METRICS: &'static [Metric<Self>] = &[
        gauge(
            "meshcore_endpoint_breaker_open",
            "F(t) of the endpoint's circuit: 0 closed, 1 open.",
            |s| &s.breaker_open,
        ),
        gauge(
            "meshcore_endpoint_available",
            "Whether the endpoint gets requests: 1, or 0 while an obstacle stands.",
            |s| &s.available,
        ),
    ];
}
