//! Delays, resets and narrow lines on purpose, for connections that pass as bytes.

use serde::{Deserialize, Serialize};

use crate::wire::route::Percentage;

/// What a listener does to its TCP connections to try how callers bear it; each is drawn for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpFault {
    /// Makes connections wait before an upstream is connected to.
    pub delay: Option<TcpDelay>,
    /// Ends connections with a reset.
    pub reset: Option<TcpReset>,
    /// Makes connections slow.
    pub bandwidth: Option<Bandwidth>,
}

/// A wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpDelay {
    /// Always so long.
    pub fixed_ms: u64,
    /// How many connections.
    pub percentage: Percentage,
}

/// A reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpReset {
    /// How long after the connection is taken up; 0: before an upstream is connected to.
    pub after_ms: u64,
    /// How many connections.
    pub percentage: Percentage,
}

/// A narrow line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bandwidth {
    /// In each direction.
    pub bytes_per_second: u64,
    /// How many connections.
    pub percentage: Percentage,
}
