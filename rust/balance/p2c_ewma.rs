//! Peak-EWMA with two choices: the lower of two endpoints' latency times active requests.
//!
//! The idea is Finagle's (`PeakEwma`, also in tower's `load::PeakEwma`): the estimate jumps to a
//! latency above it at once and comes down with exponential decay, so that an endpoint in trouble
//! is left quickly and trusted again slowly. Without answers the estimate decays towards 0 too,
//! which gives a slow endpoint a request now and then to show that it has recovered.

use std::sync::Arc;

use super::endpoint::Candidate;
use super::endpoint::Load;
use super::random::Random;
use super::sampler::Sampler;

/// Time in which the weight of an old latency sinks to 1/e: some seconds of history, as Finagle
/// and Linkerd keep.
const DECAY_US: f64 = 10_000_000.0;
/// Latency assumed of an endpoint that has requests but has not answered any yet: a second one is
/// sent there only if all others are worse.
const UNKNOWN_US: f64 = 1_000_000.0;

#[derive(Debug)]
pub(super) struct P2cEwma {
    sampler: Sampler,
    endpoints: Box<[Estimated]>,
}

#[derive(Debug)]
struct Estimated {
    load: Arc<Load>,
    estimate: Option<Estimate>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Estimate {
    latency_us: f64,
    at_us: u64,
}

impl P2cEwma {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let estimated = |candidate: &Candidate| Estimated {
            load: Arc::clone(&candidate.load),
            estimate: None,
        };
        Self {
            sampler: Sampler::new(candidates),
            endpoints: candidates.iter().map(estimated).collect(),
        }
    }

    pub(super) fn pick(
        &mut self,
        random: &mut Random,
        now_us: u64,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        let cost = |index: usize| self.endpoints.get(index).map(|it| it.cost(now_us));
        self.sampler
            .lesser_of_two(random, skip, |second, first| cost(second) < cost(first))
    }

    pub(super) fn observe(&mut self, index: usize, latency_us: u64, now_us: u64) {
        if let Some(endpoint) = self.endpoints.get_mut(index) {
            let latency = as_f64(latency_us);
            let latency_us = endpoint
                .estimate
                .map_or(latency, |old| old.after(latency, now_us));
            endpoint.estimate = Some(Estimate {
                latency_us,
                at_us: now_us,
            });
        }
    }

    /// Keeps the estimates of endpoints that stay.
    pub(super) fn carry_over(&mut self, old: &Self, same: &dyn Fn(usize) -> Option<usize>) {
        for (index, endpoint) in self.endpoints.iter_mut().enumerate() {
            let was = same(index).and_then(|at| old.endpoints.get(at));
            endpoint.estimate = was.and_then(|was| was.estimate);
        }
    }
}

impl Estimated {
    fn cost(&self, now_us: u64) -> f64 {
        let active = self.load.active();
        let latency = match self.estimate {
            Some(estimate) => estimate.latency_us * estimate.remains(now_us),
            // Nothing is known and nothing is asked: the first to be tried.
            None if active == 0 => 0.0,
            None => UNKNOWN_US,
        };
        latency * (f64::from(active) + 1.0)
    }
}

impl Estimate {
    /// How much of it is left at `now_us`.
    fn remains(self, now_us: u64) -> f64 {
        let age = now_us.saturating_sub(self.at_us);
        (-as_f64(age) / DECAY_US).exp()
    }

    fn after(self, latency: f64, now_us: u64) -> f64 {
        if latency >= self.latency_us {
            return latency;
        }
        let remains = self.remains(now_us);
        self.latency_us * remains + latency * (1.0 - remains)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds beyond 2^53 are 285 years"
)]
fn as_f64(micros: u64) -> f64 {
    micros as f64
}
