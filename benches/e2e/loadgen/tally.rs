//! What happened, counted: answers, failures by kind, latencies, bytes, who answered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::histogram::Histogram;

/// So many failures are kept with their words; the rest are only counted.
const EXAMPLES: usize = 5;
/// So many names of backends are told apart.
const BACKENDS: usize = 64;

/// Why a request failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Connect,
    Tls,
    /// The connection was reset.
    Reset,
    /// The connection ended inside an answer, or before one on a new connection.
    Eof,
    /// A connection that had served before ended before this answer's first byte.
    Stale,
    /// The other side is going away and takes no more requests; nothing was sent.
    Away,
    Head,
    Status,
    Body,
    Timeout,
    /// An open loop's request whose turn never came before the end.
    Unsent,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Eof => "eof",
            Self::Stale => "stale",
            Self::Away => "away",
            Self::Head => "bad_head",
            Self::Status => "bad_status",
            Self::Body => "bad_body",
            Self::Timeout => "timeout",
            Self::Unsent => "unsent",
        }
    }
}

/// One failed request.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, detail: impl std::fmt::Display) -> Self {
        Self {
            kind,
            detail: detail.to_string(),
        }
    }
}

/// Everything that a run counts.
pub(crate) struct Tally {
    latency: Histogram,
    requests: u64,
    bytes: u64,
    pub(crate) opened: u64,
    failures: BTreeMap<Kind, u64>,
    examples: Vec<String>,
    backends: Vec<(Vec<u8>, u64)>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            latency: Histogram::new(),
            requests: 0,
            bytes: 0,
            opened: 0,
            failures: BTreeMap::new(),
            examples: Vec::new(),
            backends: Vec::new(),
        }
    }

    pub(crate) fn answered(&mut self, latency: Duration, bytes: u64) {
        self.requests += 1;
        self.bytes += bytes;
        self.latency
            .record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn answered_by(&mut self, name: &[u8]) {
        if let Some((_, count)) = self.backends.iter_mut().find(|(known, _)| known == name) {
            *count += 1;
        } else if self.backends.len() < BACKENDS {
            self.backends.push((name.to_vec(), 1));
        }
    }

    pub(crate) fn failed(&mut self, failure: &Failure) {
        *self.failures.entry(failure.kind).or_default() += 1;
        if self.examples.len() < EXAMPLES {
            self.examples
                .push(format!("{}: {}", failure.kind.name(), failure.detail));
        }
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.values().sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
    pub(crate) fn report(&self, elapsed: Duration, cpu: Duration) -> Value {
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 {
            self.requests as f64 / seconds
        } else {
            0.0
        };
        let micros = |share: f64| self.latency.quantile(share) as f64 / 1e3;
        let kinds: BTreeMap<&str, u64> =
            self.failures.iter().map(|(k, n)| (k.name(), *n)).collect();
        let backends: BTreeMap<_, _> = self
            .backends
            .iter()
            .map(|(name, count)| (String::from_utf8_lossy(name), *count))
            .collect();
        json!({
            "requests": self.requests,
            "failures": self.failures(),
            "failures_by_kind": kinds,
            "failure_examples": self.examples,
            "bytes": self.bytes,
            "connections_opened": self.opened,
            "elapsed_s": seconds,
            "cpu_s": cpu.as_secs_f64(),
            "rps": rate,
            "latency_us": {
                "p50": micros(0.5), "p90": micros(0.9), "p99": micros(0.99), "p99_9": micros(0.999),
                "max": self.latency.max() as f64 / 1e3, "mean": self.latency.mean() / 1e3,
            },
            "backends": backends,
        })
    }
}
