//! The blocks of counters: one of each per worker and thing counted.
//!
//! Blocks are aligned to cache lines, so that two workers never write to the same one.

mod hook;
mod overload;
mod tcp_fault;

use super::counters::{Counter, Gauge};
use super::histogram::LazyHistogram;
use crate::error::ErrorKind;

pub use hook::HookStats;
pub use overload::{OverloadStats, Priorities};
pub use tcp_fault::{TCP_FAULTS, TcpFaultKind, TcpFaults};

/// The labels of `Responses`.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Responses by class of status.
#[derive(Debug, Default)]
pub struct Responses(pub(super) [Counter; 5]);

impl Responses {
    /// Counts a response; a status outside 100 to 599 is not counted.
    #[inline]
    pub fn record(&self, status: u16) {
        let class = usize::from(status / 100).wrapping_sub(1);
        if let Some(counter) = self.0.get(class) {
            counter.increment();
        }
    }
}

/// Failures by kind.
#[derive(Debug)]
pub struct Failures(pub(super) [Counter; ErrorKind::ALL.len()]);

impl Default for Failures {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl Failures {
    /// Counts a failure.
    #[inline]
    pub fn record(&self, kind: ErrorKind) {
        if let Some(counter) = self.0.get(kind as usize) {
            counter.increment();
        }
    }
}

/// The labels of `GrpcStatuses`: the codes that gRPC knows, and one for all others.
pub const GRPC_CODES: [&str; 18] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "other",
];

/// gRPC calls by the status that they ended with.
#[derive(Debug)]
pub struct GrpcStatuses(pub(super) [Counter; GRPC_CODES.len()]);

impl Default for GrpcStatuses {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl GrpcStatuses {
    /// Counts a call.
    #[inline]
    pub fn record(&self, status: u32) {
        let last = GRPC_CODES.len() - 1;
        let index = usize::try_from(status).map_or(last, |status| status.min(last));
        if let Some(counter) = self.0.get(index) {
            counter.increment();
        }
    }
}

/// What a listener saw from its downstreams.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct ListenerStats {
    /// Connections accepted.
    pub connections_total: Counter,
    /// Connections open now.
    pub connections_active: Gauge,
    /// Connections closed at once because the limit was reached.
    pub connections_refused_total: Counter,
    /// TLS handshakes that succeeded.
    pub tls_handshakes_total: Counter,
    /// TLS handshakes that failed.
    pub tls_errors_total: Counter,
    /// Request heads read.
    pub requests_total: Counter,
    /// Requests being served now.
    pub requests_active: Gauge,
    /// Requests refused as malformed or ambiguous.
    pub bad_requests_total: Counter,
    /// Responses sent, the proxy's own included.
    pub responses: Responses,
    /// Responses that the proxy made itself, and connections that it gave up.
    pub local_replies: Failures,
    /// What was done on purpose to connections that pass as bytes.
    pub faults_total: TcpFaults,
    /// Bytes read from downstreams.
    pub rx_bytes_total: Counter,
    /// Bytes written to downstreams.
    pub tx_bytes_total: Counter,
}

/// What a cluster's upstreams were asked and how they answered.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct ClusterStats {
    /// Requests sent to the cluster; a request sent again counts once.
    pub requests_total: Counter,
    /// Requests being served now.
    pub requests_active: Gauge,
    /// Responses from the upstreams.
    pub responses: Responses,
    /// Responses that the proxy made itself in the cluster's stead.
    pub local_replies: Failures,
    /// gRPC calls, the proxy's own answers included.
    pub grpc: GrpcStatuses,
    /// Upstream connections made.
    pub connects_total: Counter,
    /// Upstream connections that could not be made.
    pub connect_failures_total: Counter,
    /// Upstream connections open now.
    pub connections_active: Gauge,
    /// Upstream connections waiting for reuse now.
    pub pool_idle: Gauge,
    /// Requests that the cluster may work on at once, where that is learned.
    pub adaptive_limit: Gauge,
    /// Microseconds that an answer takes without a queue, where that is learned.
    pub adaptive_min_rtt: Gauge,
    /// Requests sent again after a stale connection.
    pub resends_total: Counter,
    /// Further attempts after a failure.
    pub retries_total: Counter,
    /// Retried requests that came to an answer that nobody wants retried.
    pub retry_success_total: Counter,
    /// Further attempts that were not made since too many requests were retries.
    pub retry_overflow_total: Counter,
    /// Requests that failed as often as their route lets them.
    pub retry_limit_exceeded_total: Counter,
    /// Requests not retried since their body was too long to be kept.
    pub retry_body_too_large_total: Counter,
    /// Second attempts beside a first.
    pub hedges_total: Counter,
    /// Copies of requests sent here.
    pub mirrors_total: Counter,
    /// Copies on their way now.
    pub mirrors_active: Gauge,
    /// Copies that were not made.
    pub mirrors_dropped_total: Counter,
    /// Copies that came to no answer.
    pub mirror_failures_total: Counter,
    /// Requests refused because a limit of the cluster was reached.
    pub overflow_total: Counter,
    /// Endpoints picked although too few were available to leave the others out.
    pub healthy_panic_total: Counter,
    /// Answers after which an endpoint was left alone for a while, because it said so.
    pub held_back_total: Counter,
    /// Bytes read from upstreams.
    pub rx_bytes_total: Counter,
    /// Bytes written to upstreams.
    pub tx_bytes_total: Counter,
    /// From the request's head to the response's last byte.
    pub latency: LazyHistogram,
}

/// What one endpoint was asked and how it answered.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct EndpointStats {
    /// Requests sent to the endpoint, those sent again included; for TCP: connections.
    pub requests_total: Counter,
    /// Requests being served now; for TCP: connections.
    pub requests_active: Gauge,
    /// Responses with a status of 500 and above.
    pub responses_5xx_total: Counter,
    /// Connections made.
    pub connects_total: Counter,
    /// Connections that could not be made.
    pub connect_failures_total: Counter,
    /// From the request's head to the response's last byte.
    pub latency: LazyHistogram,
}

/// What a cluster's active health checks found; written by the service thread.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct HealthCheckStats {
    /// Checks that have ended.
    pub attempts_total: Counter,
    /// Those that failed.
    pub failures_total: Counter,
    /// Endpoints that are checked.
    pub endpoints: Gauge,
    /// Those of them that aren't held to be unhealthy.
    pub endpoints_healthy: Gauge,
}

/// What a route's requests came to.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct RouteStats {
    /// Requests that matched.
    pub requests_total: Counter,
    /// Requests delayed on purpose.
    pub fault_delays_total: Counter,
    /// Requests that a limit refused.
    pub rate_limited_total: Counter,
    /// Requests refused on purpose.
    pub fault_aborts_total: Counter,
    /// Responses sent, the proxy's own included.
    pub responses: Responses,
    /// From the request's head to the response's last byte.
    pub latency: LazyHistogram,
}

/// What happened on one worker, whatever it was serving.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct WorkerStats {
    /// Panics caught; each ended one connection.
    pub panics_total: Counter,
    /// Accepts that failed, for example for want of file descriptors.
    pub accept_errors_total: Counter,
    /// Downstream connections open now.
    pub connections_active: Gauge,
    /// Requests refused because the process has too much to do.
    pub shed_requests_total: Priorities,
    /// Connections refused for that.
    pub shed_connections_total: Counter,
}

/// What was asked of one rate limit service and what came of it, by one worker.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct LimitServiceStats {
    /// Questions sent.
    pub questions_total: Counter,
    /// Requests that it let pass.
    pub passed_total: Counter,
    /// Requests that it refused.
    pub refused_total: Counter,
    /// Requests that got no decision in time.
    pub timeouts_total: Counter,
    /// Requests that got none for another reason.
    pub errors_total: Counter,
    /// Requests without a decision that passed.
    pub fallback_open_total: Counter,
    /// Requests without a decision that were refused.
    pub fallback_closed_total: Counter,
    /// Requests without a decision that the local rate decided on.
    pub fallback_local_total: Counter,
}

/// What happened to one access log; written under its sink's lock.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct LogStats {
    /// Lines taken.
    pub lines_total: Counter,
    /// Lines lost: the buffer was full, or the file refused them.
    pub dropped_total: Counter,
    /// Writes and reopenings that failed.
    pub errors_total: Counter,
}

/// What happened to the engine's configuration; written by the service thread.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct EngineStats {
    /// The generation that every worker runs.
    pub generation: Gauge,
    /// Deltas applied.
    pub applies_total: Counter,
    /// Deltas refused; they changed nothing.
    pub applies_refused_total: Counter,
    /// What the process refuses: 0 nothing, 4 everything new.
    pub overload_stage: Gauge,
}
