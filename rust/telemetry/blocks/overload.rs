//! How full the process's bounds are, and what was refused for that.

use crate::telemetry::counters::{Counter, Gauge};
use crate::wire::route::Level;

/// Requests by priority.
#[derive(Debug, Default)]
pub struct Priorities(pub(in crate::telemetry) [Counter; 3]);

impl Priorities {
    /// Counts a request.
    pub fn record(&self, priority: Level) {
        if let Some(counter) = self.0.get(priority as usize) {
            counter.increment();
        }
    }
}

/// How full a bound of the process is; written by the service thread.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct OverloadStats {
    /// In percent.
    pub pressure: Gauge,
}
