//! What is known about a request or a TCP connection when it ends.

/// One line's facts. Bytes came from a peer and are escaped; `None` and empty are written as
/// absent. Its length is bounded by the listener's limits on heads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry<'a> {
    /// When it began, in microseconds after 1970.
    pub start_micros: u64,
    /// The method; empty for TCP.
    pub method: &'a [u8],
    /// The target as it came, with its query; empty for TCP.
    pub path: &'a [u8],
    /// `HTTP/1.1` and so on; empty for TCP.
    pub protocol: &'a str,
    /// The status sent; 0 if none was.
    pub status: u16,
    /// Envoy's response flags; empty if all went well.
    pub flags: &'a str,
    /// What decided the status: `via_upstream` or an error's code.
    pub code_details: &'a str,
    /// Body bytes from the downstream; for TCP: all bytes.
    pub bytes_received: u64,
    /// Body bytes to the downstream; for TCP: all bytes.
    pub bytes_sent: u64,
    /// From the first byte of the head to the last of the response, in microseconds.
    pub duration_us: u64,
    /// From the request sent to the response's head, in microseconds.
    pub upstream_service_time_us: Option<u64>,
    /// What a gRPC call ended with.
    pub grpc_status: Option<u32>,
    /// `X-Forwarded-For` as it was sent upstream.
    pub x_forwarded_for: &'a [u8],
    /// `User-Agent`.
    pub user_agent: &'a [u8],
    /// `X-Request-Id` as it was sent upstream.
    pub request_id: &'a [u8],
    /// The authority as it came.
    pub authority: &'a [u8],
    /// The endpoint's address.
    pub upstream_host: &'a str,
    /// The cluster's name.
    pub upstream_cluster: &'a str,
    /// The route's name.
    pub route_name: &'a str,
    /// Who calls, after the PROXY protocol.
    pub downstream_remote_address: &'a str,
    /// Where the call arrived.
    pub downstream_local_address: &'a str,
    /// The name that the TLS hello asked for.
    pub requested_server_name: &'a [u8],
    /// The identity that the downstream's certificate proved.
    pub downstream_peer: &'a [u8],
}
