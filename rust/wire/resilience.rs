//! What keeps a failing upstream from taking its callers along: limits, breaker, outlier detection.

use serde::{Deserialize, Serialize};

/// How much of a cluster may be in use at once, over all workers; 0 is off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections; a request for which there is none waits for one.
    pub max_connections: u32,
    /// Requests that wait for a connection.
    pub max_pending_requests: u32,
    /// Requests that an endpoint works on; for TCP: connections.
    pub max_requests: u32,
    /// Requests that are retries.
    pub max_retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 0,
            max_pending_requests: 1_024,
            max_requests: 0,
            max_retries: 0,
        }
    }
}

/// How much of one endpoint may be in use at once, over all workers; 0 is off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointLimits {
    /// Requests that it works on; for TCP: connections. Others are picked instead.
    pub max_requests: u32,
    /// Connections; with `pool.max_connections` the lower counts.
    pub max_connections: u32,
}

/// When requests are kept away altogether, and when they are let through again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// How long outcomes count.
    pub window_ms: u64,
    /// It opens where so many percent of the outcomes are failures.
    pub failure_rate: u8,
    /// Fewer outcomes open nothing.
    pub minimum_requests: u32,
    /// From an opening to the first probes; doubles each time they fail.
    pub open_for_ms: u64,
    /// No wait is longer.
    pub max_open_for_ms: u64,
    /// So many requests are probes at once.
    pub probes: u32,
    /// It closes where so many percent of the probes succeed.
    pub success_rate: u8,
    /// What opens.
    pub scope: Scope,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            window_ms: 10_000,
            failure_rate: 50,
            minimum_requests: 20,
            open_for_ms: 1_000,
            max_open_for_ms: 60_000,
            probes: 3,
            success_rate: 80,
            scope: Scope::Endpoint,
        }
    }
}

/// What a breaker opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each endpoint for itself.
    #[default]
    Endpoint,
    /// The cluster.
    Cluster,
    /// Both.
    Both,
}

/// When an endpoint is left out for a while, in Envoy's words; a count of 0 is off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutlierDetection {
    /// So many failures in a row.
    pub consecutive_5xx: u32,
    /// So many of 502, 503 and 504.
    pub consecutive_gateway_failure: u32,
    /// Whether failures on the way to the endpoint are told from answers that say so.
    pub split_external_local_origin_errors: bool,
    /// So many failures on the way there, where they are told apart.
    pub consecutive_local_origin_failure: u32,
    /// Rates are compared and ejections ended so often.
    pub interval_ms: u64,
    /// The first ejection lasts so long, the next twice as long, and so on.
    pub base_ejection_time_ms: u64,
    /// No ejection is longer.
    pub max_ejection_time_ms: u64,
    /// No more than so many percent of the endpoints are left out, but one at least; 0: none.
    pub max_ejection_percent: u8,
    /// Percentage of detections that eject.
    pub enforcing_consecutive_5xx: u8,
    /// The same of gateway failures.
    pub enforcing_consecutive_gateway_failure: u8,
    /// The same of failures on the way there.
    pub enforcing_consecutive_local_origin_failure: u8,
    /// The same of the success rate; 0 is off.
    pub enforcing_success_rate: u8,
    /// Endpoints with enough requests, below which success rates aren't compared.
    pub success_rate_minimum_hosts: u32,
    /// Enough requests within an interval.
    pub success_rate_request_volume: u32,
    /// Below the mean by so many thousandths of the standard deviation is an outlier.
    pub success_rate_stdev_factor: u32,
    /// Percentage of detections by failure percentage that eject; 0 is off.
    pub enforcing_failure_percentage: u8,
    /// So many percent failures.
    pub failure_percentage_threshold: u8,
    /// Endpoints with enough requests, below which nobody is ejected for that.
    pub failure_percentage_minimum_hosts: u32,
    /// Enough requests within an interval.
    pub failure_percentage_request_volume: u32,
    /// Statuses that are failures, instead of those from 500 up.
    pub status_codes: Vec<u16>,
}

impl Default for OutlierDetection {
    fn default() -> Self {
        Self {
            consecutive_5xx: 5,
            consecutive_gateway_failure: 0,
            split_external_local_origin_errors: false,
            consecutive_local_origin_failure: 5,
            interval_ms: 10_000,
            base_ejection_time_ms: 30_000,
            max_ejection_time_ms: 300_000,
            max_ejection_percent: 10,
            enforcing_consecutive_5xx: 100,
            enforcing_consecutive_gateway_failure: 100,
            enforcing_consecutive_local_origin_failure: 100,
            enforcing_success_rate: 0,
            success_rate_minimum_hosts: 5,
            success_rate_request_volume: 100,
            success_rate_stdev_factor: 1_900,
            enforcing_failure_percentage: 0,
            failure_percentage_threshold: 85,
            failure_percentage_minimum_hosts: 5,
            failure_percentage_request_volume: 50,
            status_codes: Vec::new(),
        }
    }
}
