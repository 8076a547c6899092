//! Endpoints: the addresses of a cluster, replaced without touching the cluster.

use serde::{Deserialize, Serialize};

/// The endpoints of the cluster of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// The cluster's name.
    pub name: String,
    /// Where it can be reached; may be empty (503 `UH` then).
    pub endpoints: Vec<Endpoint>,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `127.0.0.1:9001`, `[::1]:9001`, `host.name:9001` or `unix:/path`.
    pub address: String,
    /// Relative share, 1 to 65,535.
    #[serde(default = "one")]
    pub weight: u32,
    /// `region/zone/subzone`, may be empty.
    #[serde(default)]
    pub locality: String,
}

fn one() -> u32 {
    1
}
