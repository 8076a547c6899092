//! Counters, histograms, the access log and their exposition; says nothing about when to count.
//!
//! Every block of counters belongs to one worker, which alone writes it with plain loads and
//! stores; the registry merges the workers' blocks when somebody asks.

pub mod access_log;
pub mod blocks;
pub mod clock_text;
pub mod counters;
pub mod guard;
pub mod histogram;
pub mod metric;
pub mod names;
pub mod registry;

pub use access_log::{Entry, LogSink, LogSinks, write_json, write_text};
pub use blocks::{
    ClusterStats, EndpointStats, EngineStats, HealthCheckStats, HookStats, LimitServiceStats,
    ListenerStats, LogStats, OverloadStats, RouteStats, TcpFaultKind, WorkerStats,
};
pub use counters::{Counter, Gauge};
pub use guard::{EndpointGuardStats, GuardStats};
pub use histogram::{Histogram, LazyHistogram};
pub use registry::{Registry, Resource};
