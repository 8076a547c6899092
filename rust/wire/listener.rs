//! Listeners: an address that accepts, and what is done with what it accepts.

mod fault;

use serde::{Deserialize, Serialize};

use super::Http2;
use super::hook::HookUse;
use super::route::Target;

pub use fault::{Bandwidth, TcpDelay, TcpFault, TcpReset};

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// `127.0.0.1:8080`, `[::]:8080` or `unix:/path`.
    pub address: String,
    /// What is spoken on it.
    #[serde(default)]
    pub protocol: Protocol,
    /// TLS termination.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Every connection must begin with a PROXY protocol header (v1 or v2).
    #[serde(default)]
    pub proxy_protocol: bool,
    /// Waits.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// How HTTP heads are treated.
    #[serde(default)]
    pub http: Http,
    /// Bounds of HTTP/2 connections.
    #[serde(default)]
    pub http2: Http2,
    /// The route table of an `http` or `auto` listener.
    #[serde(default)]
    pub route_table: Option<String>,
    /// Where a `tcp` listener goes; the default of `tls_passthrough` and `auto`.
    #[serde(default)]
    pub to: Vec<Target>,
    /// Routes by SNI, for `tls_passthrough` and `auto`.
    #[serde(default)]
    pub sni_routes: Vec<SniRoute>,
    /// What is done on purpose to connections that pass as bytes.
    #[serde(default)]
    pub fault: Option<Box<TcpFault>>,
    /// Who is asked about its connections and requests, in this order, before their routes' hooks.
    #[serde(default)]
    pub hooks: Vec<HookUse>,
    /// Where its access log goes; `None` writes none.
    #[serde(default)]
    pub access_log: Option<AccessLog>,
}

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.0, HTTP/1.1, and HTTP/2 by ALPN or prior knowledge.
    #[default]
    Http,
    /// HTTP/2 alone, by ALPN or prior knowledge.
    Http2,
    /// Bytes.
    Tcp,
    /// TLS that is not ended here; routed by SNI.
    TlsPassthrough,
    /// Decided by the first bytes: TLS as `tls_passthrough`, HTTP as `http`, else as `tcp`.
    Auto,
}

/// TLS termination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Credentials, chosen by SNI and key type; the first is the default.
    pub certificates: Vec<String>,
    /// Names the credential with the roots that clients must chain to; makes TLS mutual.
    pub client_ca: Option<String>,
    /// ALPN names accepted, in order of preference; empty takes the listener's protocol.
    pub alpn: Vec<String>,
    /// The lowest version accepted.
    pub min_version: TlsVersion,
    /// Tickets for resumption.
    pub session_resumption: Resumption,
}

/// TLS versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

/// Whether sessions may be resumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resumption {
    /// Tickets; they end with the trust configuration that issued them.
    #[default]
    On,
    /// Every handshake is full.
    Off,
}

/// A route of TLS passthrough.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SniRoute {
    /// `example.com` or `*.example.com`; any of them.
    pub sni: Vec<String>,
    /// Where it goes.
    pub to: Vec<Target>,
}

/// Waits in milliseconds; 0 switches one off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From a request's first byte to the end of its head (408); also the TLS handshake,
    /// the PROXY header and the sniffing of `auto`.
    pub header_ms: u64,
    /// A kept-alive connection without a request.
    pub idle_ms: u64,
    /// A request or response, or a TCP connection, on which no byte moves (408 or 504).
    pub stream_idle_ms: u64,
    /// An HTTP/2 stream whose receiver takes less than 16 KiB of what waits for it (408 or 504).
    pub window_stall_ms: u64,
    /// An HTTP connection older than this is told to end after what it carries; 0 is off.
    pub max_connection_age_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header_ms: 10_000,
            idle_ms: 60_000,
            stream_idle_ms: 300_000,
            window_stall_ms: 30_000,
            max_connection_age_ms: 0,
        }
    }
}

/// Bounds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a head, request line included (431).
    pub head_bytes: u32,
    /// Fields of a head (431).
    pub head_count: u32,
    /// Bytes of a request target (414).
    pub target_bytes: u32,
    /// Bytes of a request body (413); 0 is off.
    pub body_bytes: u64,
    /// Open connections over all workers; 0 is off. Beyond it: closed at once.
    pub connections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 * 1024,
            head_count: 100,
            target_bytes: 8 * 1024,
            body_bytes: 0,
            connections: 0,
        }
    }
}

/// How HTTP heads are treated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Proxies before us whose `X-Forwarded-*` we keep, counted from the right; 0 replaces them.
    pub trusted_hops: u32,
    /// Make an `X-Request-Id` where none came, or one came from outside the trusted hops.
    pub request_id: bool,
    /// The pseudonym to add as `Via`; `None` adds none.
    pub via: Option<String>,
    /// Accept CONNECT.
    pub allow_connect: bool,
    /// What a client of HTTP/1 means that ends its direction before it has its answer.
    pub half_close: HalfClose,
    /// Header names with an underscore.
    pub underscores: Underscores,
    /// How paths are normalised before routing.
    pub path_normalization: PathNormalization,
    /// Say the response flag and the route in `x-meshcore-error` details.
    pub explain_errors: bool,
    /// Bridge gRPC-Web to gRPC where the cluster speaks HTTP/2.
    pub grpc_web: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            trusted_hops: 0,
            request_id: true,
            via: None,
            allow_connect: false,
            half_close: HalfClose::Probe,
            underscores: Underscores::Reject,
            path_normalization: PathNormalization::Base,
            explain_errors: false,
            grpc_web: false,
        }
    }
}

/// What a client of HTTP/1 means that ends its direction (FIN) before it has its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HalfClose {
    /// An interim response asks whether it still listens; who isn't there any more is cancelled.
    #[default]
    Probe,
    /// It listens, until a reset says otherwise.
    Keep,
    /// It is gone: its request is cancelled.
    Abort,
}

/// What happens to header names with an underscore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Underscores {
    /// 400.
    #[default]
    Reject,
    /// The field is dropped.
    Drop,
    /// The field passes.
    Keep,
}

/// Path normalisation, after Istio's modes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathNormalization {
    /// As it came.
    None,
    /// RFC 3986 §6: dot segments, and `\` read as `/`.
    #[default]
    Base,
    /// `base`, and runs of `/` become one.
    MergeSlashes,
    /// `%2F` and `%5C` are decoded first, then `merge_slashes`.
    DecodeAndMergeSlashes,
}

/// An access log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// A file, `/dev/stdout` or `/dev/stderr`.
    pub path: String,
    /// Text (Envoy's default line) or JSON lines.
    #[serde(default)]
    pub format: LogFormat,
}

/// Forms of the access log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Envoy's default format string.
    #[default]
    Text,
    /// One object a line.
    Json,
}
