//! The one list of metrics: name, kind, labels, help and where the number stands.
//!
//! The exposition, the JSON statistics and docs/metrics.md are all made from it. Labels come from
//! the configuration and from fixed tables only, never from what a peer sent.

mod hook;
mod process;

use super::blocks::{
    CLASSES, ClusterStats, EndpointStats, GRPC_CODES, HealthCheckStats, LimitServiceStats,
    ListenerStats, LogStats, RouteStats, TCP_FAULTS,
};
use super::counters::{Counter, Gauge};
use super::histogram::LazyHistogram;
use super::metric::{Block, Metric, Source};
use crate::error::ErrorKind;

/// The values of the label `error`: the codes of `ErrorKind`.
const CODES: [&str; ErrorKind::ALL.len()] = {
    let mut codes = [""; ErrorKind::ALL.len()];
    let mut index = 0;
    while index < codes.len() {
        codes[index] = ErrorKind::ALL[index].code();
        index += 1;
    }
    codes
};

pub(super) const fn counter<B>(
    name: &'static str,
    help: &'static str,
    read: fn(&B) -> &Counter,
) -> Metric<B> {
    let source = Source::Counter(read);
    Metric { name, help, source }
}

pub(super) const fn gauge<B>(
    name: &'static str,
    help: &'static str,
    read: fn(&B) -> &Gauge,
) -> Metric<B> {
    let source = Source::Gauge(read);
    Metric { name, help, source }
}

const fn classes<B>(
    name: &'static str,
    help: &'static str,
    read: fn(&B) -> &[Counter],
) -> Metric<B> {
    let source = Source::Counters {
        label: "code_class",
        values: &CLASSES,
        read,
    };
    Metric { name, help, source }
}

const fn errors<B>(
    name: &'static str,
    help: &'static str,
    read: fn(&B) -> &[Counter],
) -> Metric<B> {
    let source = Source::Counters {
        label: "error",
        values: &CODES,
        read,
    };
    Metric { name, help, source }
}

const fn durations<B>(
    name: &'static str,
    help: &'static str,
    read: fn(&B) -> &LazyHistogram,
) -> Metric<B> {
    let source = Source::Durations(read);
    Metric { name, help, source }
}

impl Block for ListenerStats {
    const SCOPE: &'static str = "listener";
    const LABELS: &'static [&'static str] = &["listener"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_listener_connections_total",
            "Connections accepted.",
            |s| &s.connections_total,
        ),
        gauge(
            "meshcore_listener_connections_active",
            "Connections open now.",
            |s| &s.connections_active,
        ),
        counter(
            "meshcore_listener_connections_refused_total",
            "Connections closed at once because the limit was reached.",
            |s| &s.connections_refused_total,
        ),
        counter(
            "meshcore_listener_tls_handshakes_total",
            "TLS handshakes that succeeded.",
            |s| &s.tls_handshakes_total,
        ),
        counter(
            "meshcore_listener_tls_errors_total",
            "TLS handshakes that failed.",
            |s| &s.tls_errors_total,
        ),
        counter(
            "meshcore_listener_requests_total",
            "Request heads read.",
            |s| &s.requests_total,
        ),
        gauge(
            "meshcore_listener_requests_active",
            "Requests being served now.",
            |s| &s.requests_active,
        ),
        counter(
            "meshcore_listener_bad_requests_total",
            "Requests refused as malformed or ambiguous.",
            |s| &s.bad_requests_total,
        ),
        classes(
            "meshcore_listener_responses_total",
            "Responses sent, the proxy's own included, by class of status.",
            |s| &s.responses.0,
        ),
        errors(
            "meshcore_listener_local_replies_total",
            "Responses that the proxy made itself and connections that it gave up, by error code.",
            |s| &s.local_replies.0,
        ),
        Metric {
            name: "meshcore_listener_faults_total",
            help: "TCP connections that the listener's fault delayed, reset or slowed.",
            source: Source::Counters {
                label: "fault",
                values: &TCP_FAULTS,
                read: |s| &s.faults_total.0,
            },
        },
        counter(
            "meshcore_listener_rx_bytes_total",
            "Bytes read from downstreams.",
            |s| &s.rx_bytes_total,
        ),
        counter(
            "meshcore_listener_tx_bytes_total",
            "Bytes written to downstreams.",
            |s| &s.tx_bytes_total,
        ),
    ];
}

impl Block for ClusterStats {
    const SCOPE: &'static str = "cluster";
    const LABELS: &'static [&'static str] = &["cluster"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_cluster_requests_total",
            "Requests sent to the cluster; one that is sent again counts once.",
            |s| &s.requests_total,
        ),
        gauge(
            "meshcore_cluster_requests_active",
            "Requests being served now.",
            |s| &s.requests_active,
        ),
        classes(
            "meshcore_cluster_responses_total",
            "Responses from the upstreams, by class of status.",
            |s| &s.responses.0,
        ),
        errors(
            "meshcore_cluster_local_replies_total",
            "Responses that the proxy made itself in the cluster's stead, by error code.",
            |s| &s.local_replies.0,
        ),
        Metric {
            name: "meshcore_cluster_grpc_calls_total",
            help: "gRPC calls by the status that they ended with, the proxy's own answers included.",
            source: Source::Counters {
                label: "grpc_status",
                values: &GRPC_CODES,
                read: |s| &s.grpc.0,
            },
        },
        counter(
            "meshcore_cluster_connects_total",
            "Upstream connections made.",
            |s| &s.connects_total,
        ),
        counter(
            "meshcore_cluster_connect_failures_total",
            "Upstream connections that could not be made.",
            |s| &s.connect_failures_total,
        ),
        gauge(
            "meshcore_cluster_connections_active",
            "Upstream connections open now.",
            |s| &s.connections_active,
        ),
        gauge(
            "meshcore_cluster_pool_idle_connections",
            "Upstream connections waiting for reuse now.",
            |s| &s.pool_idle,
        ),
        gauge(
            "meshcore_cluster_adaptive_concurrency_limit",
            "Requests that the cluster may work on at once, where `adaptive_concurrency` learns it; 0 elsewhere.",
            |s| &s.adaptive_limit,
        ),
        gauge(
            "meshcore_cluster_adaptive_min_rtt_microseconds",
            "What an answer takes without a queue, where `adaptive_concurrency` learns it; 0 elsewhere.",
            |s| &s.adaptive_min_rtt,
        ),
        counter(
            "meshcore_cluster_resends_total",
            "Requests sent again after a stale connection.",
            |s| &s.resends_total,
        ),
        counter(
            "meshcore_cluster_retries_total",
            "Further attempts that routes asked for after a failure.",
            |s| &s.retries_total,
        ),
        counter(
            "meshcore_cluster_retry_success_total",
            "Retried requests that came to an answer not to be retried.",
            |s| &s.retry_success_total,
        ),
        counter(
            "meshcore_cluster_retry_overflow_total",
            "Further attempts that were not made because the budget was spent.",
            |s| &s.retry_overflow_total,
        ),
        counter(
            "meshcore_cluster_retry_limit_exceeded_total",
            "Requests that failed as often as their route lets them.",
            |s| &s.retry_limit_exceeded_total,
        ),
        counter(
            "meshcore_cluster_retry_body_too_large_total",
            "Requests not retried because their body was too long to be kept.",
            |s| &s.retry_body_too_large_total,
        ),
        counter(
            "meshcore_cluster_hedges_total",
            "Attempts that began beside one that had not answered.",
            |s| &s.hedges_total,
        ),
        counter(
            "meshcore_cluster_mirrors_total",
            "Copies of requests sent to the cluster; no other number of it counts them.",
            |s| &s.mirrors_total,
        ),
        gauge(
            "meshcore_cluster_mirrors_active",
            "Copies of requests on their way to the cluster now.",
            |s| &s.mirrors_active,
        ),
        counter(
            "meshcore_cluster_mirrors_dropped_total",
            "Copies not made: too many on their way, the body too long, or no form for them.",
            |s| &s.mirrors_dropped_total,
        ),
        counter(
            "meshcore_cluster_mirror_failures_total",
            "Copies that came to no answer in their time.",
            |s| &s.mirror_failures_total,
        ),
        counter(
            "meshcore_cluster_overflow_total",
            "Requests refused because a limit of the cluster was reached.",
            |s| &s.overflow_total,
        ),
        counter(
            "meshcore_cluster_healthy_panic_total",
            "Endpoints picked although too few were available to leave the others out.",
            |s| &s.healthy_panic_total,
        ),
        counter(
            "meshcore_cluster_held_back_total",
            "Answers after which an endpoint was left alone for a while, because it said so.",
            |s| &s.held_back_total,
        ),
        counter(
            "meshcore_cluster_rx_bytes_total",
            "Bytes read from upstreams.",
            |s| &s.rx_bytes_total,
        ),
        counter(
            "meshcore_cluster_tx_bytes_total",
            "Bytes written to upstreams.",
            |s| &s.tx_bytes_total,
        ),
        durations(
            "meshcore_cluster_request_duration_seconds",
            "From the request's head to the response's last byte.",
            |s| &s.latency,
        ),
    ];
}

impl Block for EndpointStats {
    const SCOPE: &'static str = "endpoint";
    const LABELS: &'static [&'static str] = &["cluster", "endpoint"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_endpoint_requests_total",
            "Requests sent to the endpoint, those sent again included; for TCP: connections.",
            |s| &s.requests_total,
        ),
        gauge(
            "meshcore_endpoint_requests_active",
            "Requests being served now; for TCP: connections.",
            |s| &s.requests_active,
        ),
        counter(
            "meshcore_endpoint_responses_5xx_total",
            "Responses with a status of 500 and above.",
            |s| &s.responses_5xx_total,
        ),
        counter(
            "meshcore_endpoint_connects_total",
            "Connections made.",
            |s| &s.connects_total,
        ),
        counter(
            "meshcore_endpoint_connect_failures_total",
            "Connections that could not be made.",
            |s| &s.connect_failures_total,
        ),
        durations(
            "meshcore_endpoint_request_duration_seconds",
            "From the request's head to the response's last byte.",
            |s| &s.latency,
        ),
    ];
}

impl Block for HealthCheckStats {
    const SCOPE: &'static str = "health_check";
    const LABELS: &'static [&'static str] = &["cluster"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_health_check_attempts_total",
            "Active health checks that have ended.",
            |s| &s.attempts_total,
        ),
        counter(
            "meshcore_health_check_failures_total",
            "Active health checks that failed.",
            |s| &s.failures_total,
        ),
        gauge(
            "meshcore_health_check_endpoints",
            "Endpoints that are checked.",
            |s| &s.endpoints,
        ),
        gauge(
            "meshcore_health_check_endpoints_healthy",
            "Endpoints that are checked and not held to be unhealthy.",
            |s| &s.endpoints_healthy,
        ),
    ];
}

impl Block for RouteStats {
    const SCOPE: &'static str = "route";
    const LABELS: &'static [&'static str] = &["route_table", "route"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_route_requests_total",
            "Requests that matched.",
            |s| &s.requests_total,
        ),
        counter(
            "meshcore_route_rate_limited_total",
            "Requests that a limit of the route refused.",
            |s| &s.rate_limited_total,
        ),
        counter(
            "meshcore_route_fault_delays_total",
            "Requests that the route's fault delayed.",
            |s| &s.fault_delays_total,
        ),
        counter(
            "meshcore_route_fault_aborts_total",
            "Requests that the route's fault refused.",
            |s| &s.fault_aborts_total,
        ),
        classes(
            "meshcore_route_responses_total",
            "Responses sent, the proxy's own included, by class of status.",
            |s| &s.responses.0,
        ),
        durations(
            "meshcore_route_request_duration_seconds",
            "From the request's head to the response's last byte.",
            |s| &s.latency,
        ),
    ];
}

impl Block for LimitServiceStats {
    const SCOPE: &'static str = "rate_limit_service";
    const LABELS: &'static [&'static str] = &["service"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_rate_limit_service_questions_total",
            "Questions sent; with a Redis one may be for many requests.",
            |s| &s.questions_total,
        ),
        counter(
            "meshcore_rate_limit_service_passed_total",
            "Requests that the service let pass.",
            |s| &s.passed_total,
        ),
        counter(
            "meshcore_rate_limit_service_refused_total",
            "Requests that the service refused.",
            |s| &s.refused_total,
        ),
        counter(
            "meshcore_rate_limit_service_timeouts_total",
            "Requests that got no decision in time.",
            |s| &s.timeouts_total,
        ),
        counter(
            "meshcore_rate_limit_service_errors_total",
            "Requests that got none since the service could not be asked or answered none.",
            |s| &s.errors_total,
        ),
        counter(
            "meshcore_rate_limit_service_fallback_open_total",
            "Requests without a decision that passed.",
            |s| &s.fallback_open_total,
        ),
        counter(
            "meshcore_rate_limit_service_fallback_closed_total",
            "Requests without a decision that were refused.",
            |s| &s.fallback_closed_total,
        ),
        counter(
            "meshcore_rate_limit_service_fallback_local_total",
            "Requests without a decision that the limit's local rate decided on.",
            |s| &s.fallback_local_total,
        ),
    ];
}

impl Block for LogStats {
    const SCOPE: &'static str = "access_log";
    const LABELS: &'static [&'static str] = &["path"];
    const METRICS: &'static [Metric<Self>] = &[
        counter("meshcore_access_log_lines_total", "Lines taken.", |s| {
            &s.lines_total
        }),
        counter(
            "meshcore_access_log_dropped_total",
            "Lines lost: the buffer was full, or the file refused them.",
            |s| &s.dropped_total,
        ),
        counter(
            "meshcore_access_log_errors_total",
            "Writes and reopenings that failed.",
            |s| &s.errors_total,
        ),
    ];
}
