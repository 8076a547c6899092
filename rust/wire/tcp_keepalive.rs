//! Whether the kernel asks a silent peer if it is still there.

use serde::{Deserialize, Serialize};

/// TCP keepalive (RFC 1122 §4.2.3.6); what is 0 is the system's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpKeepalive {
    /// Probes without an answer before the connection is given up; the kernel takes up to 127.
    pub probes: u32,
    /// Silence before the first probe; whole seconds.
    pub time_ms: u64,
    /// Between two probes; whole seconds.
    pub interval_ms: u64,
}
