//! What a metric is: a name, a kind, and where in a block its numbers stand.

use super::counters::{Counter, Gauge};
use super::histogram::LazyHistogram;

/// One metric of the blocks `B`.
#[derive(Debug)]
pub struct Metric<B: 'static> {
    /// As Prometheus sees it.
    pub name: &'static str,
    /// What is counted.
    pub help: &'static str,
    /// Where it stands in the block.
    pub source: Source<B>,
}

/// Where a metric's numbers stand in a block.
#[derive(Debug)]
pub enum Source<B: 'static> {
    /// A number that only grows.
    Counter(fn(&B) -> &Counter),
    /// A number that goes up and down.
    Gauge(fn(&B) -> &Gauge),
    /// Counters told apart by one more label; those at zero are left out of the exposition.
    Counters {
        /// The label.
        label: &'static str,
        /// Its values, in the order of the counters.
        values: &'static [&'static str],
        /// The counters.
        read: fn(&B) -> &[Counter],
    },
    /// Durations; left out of the exposition until the first one.
    Durations(fn(&B) -> &LazyHistogram),
}

impl<B> Source<B> {
    /// The kind, as Prometheus calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) | Self::Counters { .. } => "counter",
            Self::Gauge(_) => "gauge",
            Self::Durations(_) => "histogram",
        }
    }
}

impl<B: Block> Metric<B> {
    /// Its key in the JSON statistics: the name without `meshcore_` and the scope.
    pub fn key(&self) -> &'static str {
        let rest = self.name.strip_prefix("meshcore_").unwrap_or(self.name);
        let rest = rest.strip_prefix(B::SCOPE).unwrap_or(rest);
        rest.strip_prefix('_').unwrap_or(rest)
    }
}

/// A block whose numbers have names.
pub trait Block: Default + 'static {
    /// What is counted: the word after `meshcore_`.
    const SCOPE: &'static str;
    /// The labels that name one of them.
    const LABELS: &'static [&'static str];
    /// Its numbers.
    const METRICS: &'static [Metric<Self>];
}
