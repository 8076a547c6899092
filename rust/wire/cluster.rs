//! Clusters: a named group of endpoints and how to reach and choose among them.

mod adaptive;
pub mod locality;

use serde::{Deserialize, Serialize};

use super::resilience::{Breaker, EndpointLimits, Limits, OutlierDetection};
use super::route::Percentage;
use super::{HealthCheck, Http2, TcpKeepalive};

pub use adaptive::AdaptiveConcurrency;
pub use adaptive::MinRttCalc;

/// One cluster; its addresses stand in the `Endpoints` of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The protocol spoken upstream.
    #[serde(default)]
    pub protocol: Protocol,
    /// How an endpoint is chosen.
    #[serde(default)]
    pub balance: Balance,
    /// How keys are spread, where the algorithm goes by keys.
    #[serde(default)]
    pub hash: Hash,
    /// Which endpoints come first, by where they are.
    #[serde(default)]
    pub locality: Option<locality::Locality>,
    /// TLS towards the endpoints.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Waits.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Bounds of the connection pool.
    #[serde(default)]
    pub pool: Pool,
    /// Bounds of HTTP/2 connections.
    #[serde(default)]
    pub http2: Http2,
    /// A PROXY protocol header at the start of each upstream connection.
    #[serde(default)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// How host names are resolved again.
    #[serde(default)]
    pub dns: Dns,
    /// Whether the kernel asks silent endpoints if they are still there.
    #[serde(default)]
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// How many requests may be retries at once.
    #[serde(default)]
    pub retry_budget: RetryBudget,
    /// What its endpoints are asked, whether they have traffic or not.
    #[serde(default)]
    pub health_checks: Vec<HealthCheck>,
    /// Whether an endpoint that answers with `Retry-After` or gRPC's push-back is left alone so long.
    #[serde(default)]
    pub honor_retry_after: bool,
    /// Endpoints that are new, or have come back, get their share little by little.
    #[serde(default)]
    pub slow_start: Option<SlowStart>,
    /// How many requests it may work on at once, learned; `None` is any number.
    #[serde(default)]
    pub adaptive_concurrency: Option<AdaptiveConcurrency>,
    /// Where less than this percentage of the endpoints is available, all are used; 0 is off.
    #[serde(default)]
    pub panic_threshold: u8,
    /// How much of the cluster may be in use at once.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// How much of each endpoint may be in use at once.
    #[serde(default)]
    pub endpoint_limits: Option<EndpointLimits>,
    /// When requests are kept away from what fails.
    #[serde(default)]
    pub breaker: Option<Breaker>,
    /// When an endpoint is left out for a while.
    #[serde(default)]
    pub outlier_detection: Option<OutlierDetection>,
}

/// The protocol spoken upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2; without TLS by prior knowledge (RFC 9113 §3.3).
    Http2,
    /// What the endpoint chooses by ALPN; HTTP/1.1 without TLS.
    Auto,
    /// What the client spoke.
    Same,
}

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Smooth weighted round robin, exact per worker.
    #[default]
    RoundRobin,
    /// By weight, independently.
    Random,
    /// The fewest active requests (TCP: connections), relative to weight.
    LeastRequest,
    /// The better of two by peak-EWMA latency times active requests.
    P2cEwma,
    /// By a key, on a ring of hashes.
    RingHash,
    /// By a key, in Maglev's table.
    Maglev,
}

/// How keys are spread.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hash {
    /// Points on the ring of four endpoints of equal weight; more endpoints have as many each.
    pub ring_size: u32,
    /// Slots of Maglev's table; a prime.
    pub table_size: u32,
    /// Nobody gets more than so many hundredths of the mean load; 0 is off.
    pub load_factor_percent: u32,
}

impl Default for Hash {
    fn default() -> Self {
        Self {
            ring_size: 1_024,
            table_size: 65_537,
            load_factor_percent: 0,
        }
    }
}

/// How the share of an endpoint that is new grows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlowStart {
    /// After this it is whole.
    pub window_ms: u64,
    /// The growth is (time / window) ^ (100 / this); 100 is a straight line.
    pub aggression_percent: u32,
    /// What an endpoint gets from the beginning, of its weight.
    pub min_weight_percent: u8,
}

impl Default for SlowStart {
    fn default() -> Self {
        Self {
            window_ms: 30_000,
            aggression_percent: 100,
            min_weight_percent: 10,
        }
    }
}

/// TLS towards the endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Names the credential with the trusted roots; `None` trusts the system's.
    pub ca: Option<String>,
    /// The name that the certificate must carry, and SNI; `None` takes the endpoint's host name.
    pub server_name: Option<String>,
    /// Names the credential that we show when asked.
    pub certificate: Option<String>,
    /// ALPN names offered, in order of preference.
    pub alpn: Vec<String>,
}

/// Waits in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// For TCP and TLS handshakes together.
    pub connect_ms: u64,
    /// A pooled connection without a request is closed after this; 0 is off.
    pub idle_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 5_000,
            idle_ms: 60_000,
        }
    }
}

/// Bounds of the connection pool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pool {
    /// Idle connections kept per endpoint and worker.
    pub max_idle: u32,
    /// Connections to one endpoint, over all workers; 0 is off. Beyond it: 503 `UO`. One of HTTP/2
    /// belongs to a worker, and gives way to others while it carries no stream.
    pub max_connections: u32,
    /// A connection is not reused when older than this, or an eighth less by chance; 0 is off. One
    /// of HTTP/2 serves on until its successor does.
    pub max_age_ms: u64,
    /// Requests on one connection before it is closed; 0 is off.
    pub max_requests: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            max_idle: 128,
            max_connections: 0,
            max_age_ms: 0,
            max_requests: 0,
        }
    }
}

/// Versions of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyProtocol {
    /// The text form.
    V1,
    /// The binary form.
    V2,
}

/// How host names are resolved again: when their TTL ends, within these bounds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Never sooner than this.
    pub min_ttl_ms: u64,
    /// Never later than this; also the wait after a failure.
    pub max_ttl_ms: u64,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            min_ttl_ms: 1_000,
            max_ttl_ms: 60_000,
        }
    }
}

/// How many of the requests in flight may be retries, hedges included.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBudget {
    /// A share of the requests in flight.
    pub percent: Percentage,
    /// So many always.
    pub min_concurrency: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            percent: Percentage::of(20),
            min_concurrency: 3,
        }
    }
}
