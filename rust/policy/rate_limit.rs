//! Whether a request is within a rate: one bucket for all, or one for each key.
//!
//! A bucket is one number, the time at which it is full again. A request moves it by the interval
//! of the rate and is refused where that would lead further ahead than the burst allows (the generic
//! cell rate algorithm, ITU-T I.371). Workers share the numbers and move them by compare and swap:
//! together they let pass what one would.

mod buckets;

use std::sync::Arc;
use std::time::Duration;

use crate::wire::Problems;
use crate::wire::route;
use buckets::Buckets;

/// The shortest interval of a rate, a million a second: in whole nanoseconds it is met to a
/// thousandth.
const INTERVAL_MIN: u64 = 1_000;

/// A limit, shared by all workers.
#[derive(Debug)]
pub struct RateLimit {
    name: Box<str>,
    requests: u32,
    /// Nanoseconds from one request to the next.
    interval: u64,
    /// How far ahead of now a bucket may be.
    ahead_max: u64,
    key: Key,
    /// What refused requests are answered with.
    pub status: u16,
    /// Whether answers tell what is left.
    pub response_headers: bool,
    buckets: Arc<Buckets>,
}

/// What has a bucket of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// All requests share one.
    Route,
    /// The client's address.
    SourceAddress,
    /// What the client's certificate proved.
    Identity,
    /// The first value of a field.
    Header(Box<str>),
}

/// What was decided, and what clients are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How long to wait before another try; `None`: the request passes.
    pub wait: Option<Duration>,
    /// The rate's number of requests.
    pub limit: u32,
    /// How many more would pass now.
    pub remaining: u64,
    /// When the bucket is full again.
    pub reset: Duration,
}

impl RateLimit {
    /// Compiles the limits that stand at `at`; `None` when it noted a problem.
    pub fn compile_all(
        wire: &[route::RateLimit],
        at: &str,
        problems: &mut Problems,
    ) -> Option<Box<[Self]>> {
        let mut compiled: Vec<Self> = Vec::with_capacity(wire.len());
        for (index, limit) in wire.iter().enumerate() {
            let at = format!("{at}[{index}]");
            if wire
                .iter()
                .take(index)
                .any(|other| other.name == limit.name)
            {
                let message = format!("another limit of the route is named `{}`", limit.name);
                let hint = "names of a route's limits are single";
                problems.add("rate_limit_duplicate", format!("{at}.name"), message, hint);
                continue;
            }
            compiled.extend(Self::compile(limit, &at, problems));
        }
        (compiled.len() == wire.len()).then(|| compiled.into())
    }

    fn compile(wire: &route::RateLimit, at: &str, problems: &mut Problems) -> Option<Self> {
        let key = Key::parse(&wire.key);
        if key.is_none() {
            let message = format!("`{}` is nothing that could have a bucket", wire.key);
            let hint = "write route, source_address, identity or header.<name>";
            problems.add("rate_limit_key", format!("{at}.key"), message, hint);
        }
        let rate = &wire.local;
        let per = rate.per_ms.saturating_mul(1_000_000);
        let interval = per.checked_div(u64::from(rate.requests)).unwrap_or(0);
        if interval < INTERVAL_MIN {
            let message = format!(
                "{} requests per {} ms are no rate",
                rate.requests, rate.per_ms
            );
            let hint = "write 1 request or more, and at most 1,000,000 a second";
            problems.add("rate_invalid", format!("{at}.local"), message, hint);
        }
        if rate.burst == Some(0) {
            let message = "with a burst of 0 no request would ever pass";
            let hint = "write 1 or more, or leave it out";
            problems.add("burst_zero", format!("{at}.local.burst"), message, hint);
        }
        if !(400..=599).contains(&wire.status) {
            let message = format!("{} is no status of a refusal", wire.status);
            let hint = "write 400 to 599";
            problems.add("status_invalid", format!("{at}.status"), message, hint);
        }
        let key = key?;
        let sound = problems.is_empty();
        sound.then(|| Self {
            name: wire.name.as_str().into(),
            requests: rate.requests,
            interval,
            ahead_max: interval.saturating_mul(rate.burst.unwrap_or(rate.requests).into()),
            buckets: Arc::new(Buckets::new(key != Key::Route)),
            key,
            status: wire.status,
            response_headers: wire.response_headers,
        })
    }

    /// Goes on with the buckets of the limit of this name in `before`, whatever its rate was.
    pub fn inherit(&mut self, before: &[Self]) {
        let old = before.iter().find(|old| old.name == self.name);
        if let Some(old) = old.filter(|old| old.key == self.key) {
            self.buckets = Arc::clone(&old.buckets);
        }
    }

    /// What the caller of [`decide`](Self::decide) has to give as `subject`.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Decides on a request of `subject` at `now`, in nanoseconds since any one moment.
    pub fn decide(&self, subject: &[u8], now: u64) -> Verdict {
        let taken = self
            .buckets
            .take(subject, now, (self.interval, self.ahead_max));
        let (wait, ahead) = match taken {
            Ok(ahead) => (None, ahead),
            Err(ahead) => {
                let next = ahead.saturating_add(self.interval);
                let wait = next.saturating_sub(self.ahead_max);
                (Some(Duration::from_nanos(wait)), ahead)
            }
        };
        Verdict {
            wait,
            limit: self.requests,
            remaining: self.ahead_max.saturating_sub(ahead) / self.interval,
            reset: Duration::from_nanos(ahead),
        }
    }
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "route" => Self::Route,
            "source_address" => Self::SourceAddress,
            "identity" => Self::Identity,
            _ => {
                let name = text
                    .strip_prefix("header.")
                    .filter(|name| !name.is_empty())?;
                Self::Header(name.to_ascii_lowercase().into())
            }
        })
    }
}

#[cfg(test)]
#[path = "rate_limit_tests.rs"]
mod tests;
