//! How a cluster counts localities: who is near, where requests go when those fail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which endpoints come first, by where they are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Locality {
    /// Whether places count at all.
    pub enabled: bool,
    /// Where this proxy runs: `region/zone/subzone`; empty is nowhere.
    pub here: String,
    /// What this proxy is called by.
    pub labels: BTreeMap<String, String>,
    /// Regions that take over, before all others, in this order.
    pub failover: Vec<Failover>,
    /// Shares of localities; the first whose `from` is here counts.
    pub distribute: Vec<Distribute>,
    /// Labels, the most important first: who agrees in more of them comes before others.
    pub failover_priority: Vec<String>,
    /// Requests stay in their zone as far as its endpoints can take them.
    pub zone_aware: Option<ZoneAware>,
    /// A level of which so much is unavailable that the rest times this is below 100 gives to the
    /// next.
    pub overprovisioning_percent: u32,
}

impl Default for Locality {
    fn default() -> Self {
        Self {
            enabled: true,
            here: String::new(),
            labels: BTreeMap::new(),
            failover: Vec::new(),
            distribute: Vec::new(),
            failover_priority: Vec::new(),
            zone_aware: None,
            overprovisioning_percent: 140,
        }
    }
}

/// A region and the one that takes over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// Ours.
    pub from: String,
    /// The next.
    pub to: String,
}

/// Shares of localities.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Distribute {
    /// Where a proxy must run: `region/zone/subzone`, a `*` or what is left out is any.
    pub from: String,
    /// Percentages; together 100.
    pub to: BTreeMap<String, u32>,
}

/// Requests stay in their zone as far as its endpoints can take them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZoneAware {
    /// Fewer endpoints share all requests, wherever they are.
    pub min_cluster_size: u32,
}

impl Default for ZoneAware {
    fn default() -> Self {
        Self {
            min_cluster_size: 6,
        }
    }
}
