//! A rate in the terms that buckets reckon in.

use crate::wire::Problems;
use crate::wire::route;

/// The shortest interval of a rate, a million a second: in whole nanoseconds it is met to a
/// thousandth.
const INTERVAL_MIN: u64 = 1_000;

/// A rate and its burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Its number of requests, which clients are told.
    pub requests: u32,
    /// The time of that many, in nanoseconds.
    pub per: u64,
    /// Nanoseconds from one request to the next.
    pub interval: u64,
    /// How far ahead of now a bucket may be.
    pub ahead_max: u64,
}

impl Rate {
    /// Compiles the rate at `at`; `None` when it noted a problem.
    pub fn compile(wire: &route::Rate, at: &str, problems: &mut Problems) -> Option<Self> {
        let per = wire.per_ms.saturating_mul(1_000_000);
        let interval = per.checked_div(u64::from(wire.requests)).unwrap_or(0);
        let fits = interval >= INTERVAL_MIN;
        if !fits {
            let message = format!(
                "{} requests per {} ms are no rate",
                wire.requests, wire.per_ms
            );
            let hint = "write 1 request or more, and at most 1,000,000 a second";
            problems.add("rate_invalid", at, message, hint);
        }
        if wire.burst == Some(0) {
            let message = "with a burst of 0 no request would ever pass";
            let hint = "write 1 or more, or leave it out";
            problems.add("burst_zero", format!("{at}.burst"), message, hint);
        }
        (fits && wire.burst != Some(0)).then(|| Self {
            requests: wire.requests,
            per,
            interval,
            ahead_max: interval.saturating_mul(wire.burst.unwrap_or(wire.requests).into()),
        })
    }
}
