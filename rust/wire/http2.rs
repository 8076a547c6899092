//! How HTTP/2 is spoken, on either side.

use serde::{Deserialize, Serialize};

/// Bounds of an HTTP/2 connection; defaults after Envoy's advice for edge proxies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http2 {
    /// Streams open at once on one connection: what we allow a client, and the most that we open
    /// to an endpoint before another connection is made.
    pub max_concurrent_streams: u32,
    /// Bytes that the other side may send on one stream before we have passed them on.
    pub initial_stream_window_size: u32,
    /// The same for all streams of a connection together.
    pub initial_connection_window_size: u32,
    /// While streams are open a PING asks so often whether the other side is still there; 0 is off.
    pub keepalive_interval_ms: u64,
    /// A PING that isn't answered within this ends the connection and its streams.
    pub keepalive_timeout_ms: u64,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 100,
            initial_stream_window_size: 64 * 1024,
            initial_connection_window_size: 1024 * 1024,
            keepalive_interval_ms: 0,
            keepalive_timeout_ms: 20_000,
        }
    }
}
