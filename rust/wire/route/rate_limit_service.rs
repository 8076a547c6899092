//! Who counts requests for several proxies.

use serde::{Deserialize, Serialize};

/// A service that is asked before a request passes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitService {
    /// Stands in metrics; a worker's connection and what it knows are kept by it.
    pub name: String,
    /// The longest that a request waits for it.
    #[serde(default = "twenty_milliseconds")]
    pub timeout_ms: u64,
    /// What becomes of a request that it doesn't answer for in time.
    #[serde(default)]
    pub on_error: OnError,
    /// A Redis, which keeps the buckets. Exactly one of this and `grpc`.
    #[serde(default)]
    pub redis: Option<Redis>,
    /// One that speaks `envoy.service.ratelimit.v3.RateLimitService`.
    #[serde(default)]
    pub grpc: Option<Grpc>,
}

/// A Redis.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Where it is.
    pub cluster: String,
    /// What its keys begin with.
    #[serde(default = "prefix")]
    pub key_prefix: String,
    /// Who we are there, where it knows users.
    #[serde(default)]
    pub username: Option<String>,
    /// The file of the password that it demands; read for each connection.
    #[serde(default)]
    pub password_file: Option<String>,
}

/// A rate limit service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// Where it is.
    pub cluster: String,
    /// Whose rules it goes by.
    pub domain: String,
}

/// What becomes of a request that nobody decides on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It passes.
    #[default]
    Open,
    /// It is refused.
    Closed,
    /// The limit's local rate decides.
    Local,
}

impl RateLimitService {
    /// Where it is.
    pub fn cluster(&self) -> Option<&str> {
        let redis = self.redis.as_ref().map(|redis| &*redis.cluster);
        redis.or_else(|| self.grpc.as_ref().map(|grpc| &*grpc.cluster))
    }
}

fn twenty_milliseconds() -> u64 {
    20
}

fn prefix() -> String {
    "meshcore:".to_owned()
}
