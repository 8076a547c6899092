//! How many requests a cluster may work on at once, learned from how long it takes to answer.

use serde::{Deserialize, Serialize};

/// A limit that follows the time of answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveConcurrency {
    /// The percentile of answers' times that stands for all, 1 to 100.
    pub sample_aggregate_percentile: u8,
    /// The time from one reckoning to the next.
    pub concurrency_update_interval_ms: u64,
    /// The limit never exceeds this.
    pub max_concurrency_limit: u32,
    /// How the time of an answer without a queue is measured.
    pub min_rtt_calc: MinRttCalc,
}

impl Default for AdaptiveConcurrency {
    fn default() -> Self {
        Self {
            sample_aggregate_percentile: 50,
            concurrency_update_interval_ms: 100,
            max_concurrency_limit: 1000,
            min_rtt_calc: MinRttCalc::default(),
        }
    }
}

/// How the time of an answer without a queue is measured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinRttCalc {
    /// The time from one measurement to the next.
    pub interval_ms: u64,
    /// How many answers one takes.
    pub request_count: u32,
    /// By up to how many percent the interval is longer, at random.
    pub jitter: u32,
    /// The limit is never below this.
    pub min_concurrency: u32,
    /// By how many percent answers may be later before the limit falls.
    pub buffer: u32,
}

impl Default for MinRttCalc {
    fn default() -> Self {
        Self {
            interval_ms: 60_000,
            request_count: 50,
            jitter: 15,
            min_concurrency: 3,
            buffer: 25,
        }
    }
}
