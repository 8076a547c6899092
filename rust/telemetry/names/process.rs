//! What is counted of the process, whatever it serves.

use super::super::blocks::{EngineStats, LimitServiceStats, LogStats, WorkerStats};
use super::super::metric::{Block, Metric};
use super::{counter, gauge};

impl Block for WorkerStats {
    const SCOPE: &'static str = "worker";
    const LABELS: &'static [&'static str] = &["worker"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_worker_panics_total",
            "Panics caught; each ended one connection.",
            |s| &s.panics_total,
        ),
        counter(
            "meshcore_worker_accept_errors_total",
            "Accepts that failed, for example for want of file descriptors.",
            |s| &s.accept_errors_total,
        ),
        gauge(
            "meshcore_worker_connections_active",
            "Downstream connections open now.",
            |s| &s.connections_active,
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

impl Block for EngineStats {
    const SCOPE: &'static str = "engine";
    const LABELS: &'static [&'static str] = &[];
    const METRICS: &'static [Metric<Self>] = &[
        gauge(
            "meshcore_engine_generation",
            "The generation that every worker runs.",
            |s| &s.generation,
        ),
        counter("meshcore_engine_applies_total", "Deltas applied.", |s| {
            &s.applies_total
        }),
        counter(
            "meshcore_engine_applies_refused_total",
            "Deltas refused; they changed nothing.",
            |s| &s.applies_refused_total,
        ),
    ];
}
