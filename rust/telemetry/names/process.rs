//! What is counted of the engine, its workers and the process.

use super::{counter, gauge};
use crate::telemetry::blocks::{EngineStats, OverloadStats, WorkerStats};
use crate::telemetry::metric::{Block, Metric, Source};
use crate::wire::route::Level;

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
        gauge(
            "meshcore_engine_overload_stage",
            "What is refused: 0 nothing, 1 idle connections, 2 low priority, 3 all but high, 4 everything new.",
            |s| &s.overload_stage,
        ),
    ];
}

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
        Metric {
            name: "meshcore_worker_shed_requests_total",
            help: "Requests refused because the process has too much to do.",
            source: Source::Counters {
                label: "priority",
                values: &Level::WORDS,
                read: |s| &s.shed_requests_total.0,
            },
        },
        counter(
            "meshcore_worker_shed_connections_total",
            "Connections refused because the process has too much to do.",
            |s| &s.shed_connections_total,
        ),
    ];
}

impl Block for OverloadStats {
    const SCOPE: &'static str = "overload";
    const LABELS: &'static [&'static str] = &["monitor"];
    const METRICS: &'static [Metric<Self>] = &[gauge(
        "meshcore_overload_pressure_percent",
        "How full a bound of the process is; the fullest decides what is refused.",
        |s| &s.pressure,
    )];
}
