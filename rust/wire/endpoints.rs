//! Endpoints: the addresses of a cluster, replaced without touching the cluster.

use std::collections::BTreeMap;

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
    /// What it is called by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The lower comes first; 0 to 128.
    #[serde(default)]
    pub priority: u32,
    /// Takes nothing new, but keeps the sessions that it has.
    #[serde(default)]
    pub draining: bool,
}

fn one() -> u32 {
    1
}
