//! How many requests of a route pass.

use serde::{Deserialize, Serialize};

use super::RateLimitService;

/// A limit on a route's requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Its state is kept by this name when the configuration changes.
    pub name: String,
    /// How many pass this proxy; with `service`, while that can't be asked.
    #[serde(default)]
    pub local: Option<Rate>,
    /// How many pass all proxies that ask the same Redis.
    #[serde(default)]
    pub shared: Option<Rate>,
    /// Who counts for all proxies.
    #[serde(default)]
    pub service: Option<Box<RateLimitService>>,
    /// What has a bucket of its own: `route` (all requests share one), `source_address`, `identity`
    /// or `header.<name>`.
    #[serde(default = "route")]
    pub key: String,
    /// What refused requests are answered with.
    #[serde(default = "too_many_requests")]
    pub status: u16,
    /// Whether answers tell what is left.
    #[serde(default = "yes")]
    pub response_headers: bool,
}

/// A rate over all that share it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many.
    pub requests: u32,
    /// In this time.
    #[serde(default = "second")]
    pub per_ms: u64,
    /// How many may come at once after a pause; `None` is `requests`.
    #[serde(default)]
    pub burst: Option<u32>,
}

fn route() -> String {
    "route".to_owned()
}

fn too_many_requests() -> u16 {
    429
}

fn yes() -> bool {
    true
}

fn second() -> u64 {
    1_000
}
