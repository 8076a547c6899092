//! What was done on purpose to connections that pass as bytes.

use crate::telemetry::counters::Counter;

/// The labels of `TcpFaults`.
pub const TCP_FAULTS: [&str; 3] = ["delay", "reset", "bandwidth"];

/// What can be done on purpose to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpFaultKind {
    /// It waits.
    Delay,
    /// It is reset.
    Reset,
    /// It is slow.
    Bandwidth,
}

/// Faults by kind.
#[derive(Debug, Default)]
pub struct TcpFaults(pub(in crate::telemetry) [Counter; TCP_FAULTS.len()]);

impl TcpFaults {
    /// Counts a fault.
    pub fn record(&self, kind: TcpFaultKind) {
        if let Some(counter) = self.0.get(kind as usize) {
            counter.increment();
        }
    }
}
