//! The data plane's own HTTP endpoints, after Envoy's admin interface.
//!
//! Runs on the service thread; what it shows and does comes from a `View`, so it knows no engine.

mod dump;
mod endpoints;
mod guard;
mod page;
mod params;
mod reply;
mod server;
mod stats;

use serde_json::Value;

pub use server::serve;

/// What the endpoints show and do. Called on the service thread; answers at once.
pub trait View: Send + Sync + 'static {
    /// Whether traffic is served: every worker runs a snapshot and none drains.
    fn ready(&self) -> bool;
    /// Envoy's word for the state: `PRE_INITIALIZING`, `LIVE` or `DRAINING`.
    fn state(&self) -> &'static str;
    /// The Prometheus text exposition.
    fn stats_prometheus(&self) -> String;
    /// Statistics as nested objects: scope, then name, then number.
    fn stats_json(&self) -> Value;
    /// `[{"name": text, key: value, …, "endpoints": [{"address": text, key: value, …}]}]`.
    fn clusters(&self) -> Value;
    /// `[{"name": text, "address": text, key: value, …}]`.
    fn listeners(&self) -> Value;
    /// `{"generation": n, kind: [{"name": text, …}, …], …}` without keys and other secrets.
    fn config_dump(&self) -> Value;
    /// Version, state, uptime and how it was started.
    fn server_info(&self) -> Value;
    /// Begins to stop the process or the engine; returns at once.
    fn quit(&self);
    /// Begins to drain: nothing new is accepted, what runs is finished; returns at once.
    fn drain_listeners(&self);
    /// Sets the log level, or says which levels there are.
    fn set_log_level(&self, level: &str) -> Result<(), String>;
}

#[cfg(test)]
mod tests;
