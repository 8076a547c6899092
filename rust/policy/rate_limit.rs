//! Whether a request is within a rate: one bucket for all, or one for each key.
//!
//! A bucket is one number, the time at which it is full again. A request moves it by the interval
//! of the rate and is refused where that would lead further ahead than the burst allows (the generic
//! cell rate algorithm, ITU-T I.371). Workers share the numbers and move them by compare and swap:
//! together they let pass what one would. A bucket that several proxies share is somebody else's;
//! a worker takes from it in batches.

mod buckets;
mod lease;
mod rate;

use std::sync::Arc;
use std::time::Duration;

use crate::wire::Problems;
use crate::wire::route;
use buckets::Buckets;

pub use lease::{Answer, Lease, Step};
pub use rate::Rate;

/// A limit, shared by all workers.
#[derive(Debug)]
pub struct RateLimit {
    /// What it is called.
    pub name: Box<str>,
    key: Key,
    /// What refused requests are answered with.
    pub status: u16,
    /// Whether answers tell what is left.
    pub response_headers: bool,
    local: Option<Local>,
}

/// What this proxy lets pass.
#[derive(Debug)]
struct Local {
    rate: Rate,
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
    ) -> Option<Vec<Self>> {
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
        (compiled.len() == wire.len()).then_some(compiled)
    }

    fn compile(wire: &route::RateLimit, at: &str, problems: &mut Problems) -> Option<Self> {
        let key = Key::parse(&wire.key);
        if key.is_none() {
            let message = format!("`{}` is nothing that could have a bucket", wire.key);
            let hint = "write route, source_address, identity or header.<name>";
            problems.add("rate_limit_key", format!("{at}.key"), message, hint);
        }
        let local = wire.local.as_ref();
        let rate = local.map(|rate| Rate::compile(rate, &format!("{at}.local"), problems));
        let known = (400..=599).contains(&wire.status);
        if !known {
            let message = format!("{} is no status of a refusal", wire.status);
            let hint = "write 400 to 599";
            problems.add("status_invalid", format!("{at}.status"), message, hint);
        }
        let key = key.filter(|_| known)?;
        let keyed = key != Key::Route;
        let local = match rate {
            Some(rate) => Some(Local {
                rate: rate?,
                buckets: Arc::new(Buckets::new(keyed)),
            }),
            None => None,
        };
        Some(Self {
            name: wire.name.as_str().into(),
            key,
            status: wire.status,
            response_headers: wire.response_headers,
            local,
        })
    }

    /// Goes on with the buckets of `old`, whatever its rate was.
    pub fn inherit(&mut self, old: &Self) {
        if let (Some(local), Some(before)) = (&mut self.local, &old.local)
            && self.key == old.key
        {
            local.buckets = Arc::clone(&before.buckets);
        }
    }

    /// What the caller of [`decide`](Self::decide) has to give as `subject`.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Decides on a request of `subject` at `now`, in nanoseconds since any one moment; `None` where
    /// this proxy alone limits nothing.
    pub fn decide(&self, subject: &[u8], now: u64) -> Option<Verdict> {
        let Local { rate, buckets } = self.local.as_ref()?;
        let taken = buckets.take(subject, now, (rate.interval, rate.ahead_max));
        let (wait, ahead) = match taken {
            Ok(ahead) => (None, ahead),
            Err(ahead) => {
                let next = ahead.saturating_add(rate.interval);
                let wait = next.saturating_sub(rate.ahead_max);
                (Some(Duration::from_nanos(wait)), ahead)
            }
        };
        Some(Verdict {
            wait,
            limit: rate.requests,
            remaining: rate.ahead_max.saturating_sub(ahead) / rate.interval,
            reset: Duration::from_nanos(ahead),
        })
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
