//! Which endpoint takes a request: round robin, random, least request, peak-EWMA, or by a key.
//!
//! A picker belongs to one worker and one cluster. What workers must agree on, the count of active
//! requests, is in the shared `Load` of each endpoint. Health, limits and retries are the caller's:
//! it says which endpoints to skip.

mod endpoint;
mod hashing;
mod least_request;
mod levels;
mod maglev;
mod p2c_ewma;
mod random;
mod ring;
mod round_robin;
mod sampler;
mod slow_start;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::wire::cluster::Balance;

pub use endpoint::Active;
pub use endpoint::Candidate;
pub use endpoint::Load;
pub use hashing::HashTable;
pub use hashing::Named;
pub use hashing::combine;
pub use hashing::stable_hash;
pub use least_request::SCANNED as LEAST_REQUEST_SCANNED;
pub use levels::Asking;
pub use levels::Availability;
pub use levels::Layout;
pub use levels::Levels;
pub use levels::Place;
pub use maglev::is_prime;
pub use random::Random;
pub use slow_start::{ShareOf, SlowStart, pick_by_share};

use hashing::Hashing;
use least_request::LeastRequest;
use p2c_ewma::P2cEwma;
use round_robin::RoundRobin;
use sampler::Sampler;

/// Picks endpoints of one cluster for one worker.
#[derive(Debug)]
pub struct Picker {
    count: usize,
    algorithm: Algorithm,
}

#[derive(Debug)]
enum Algorithm {
    RoundRobin(RoundRobin),
    Random(Sampler),
    LeastRequest(LeastRequest),
    P2cEwma(P2cEwma),
    Hashing(Hashing),
}

impl Picker {
    /// A picker over `candidates`, which keep their indices.
    pub fn new(balance: Balance, candidates: &[Candidate]) -> Self {
        let algorithm = match balance {
            Balance::RoundRobin => Algorithm::RoundRobin(RoundRobin::new(candidates)),
            // Without a table there is nothing to go by.
            Balance::Random | Balance::RingHash | Balance::Maglev => {
                Algorithm::Random(Sampler::new(candidates))
            }
            Balance::LeastRequest => Algorithm::LeastRequest(LeastRequest::new(candidates)),
            Balance::P2cEwma => Algorithm::P2cEwma(P2cEwma::new(candidates)),
        };
        Self {
            count: candidates.len(),
            algorithm,
        }
    }

    /// A picker over `candidates` by the table that was made of them.
    pub fn hashing(table: Arc<HashTable>, candidates: &[Candidate]) -> Self {
        Self {
            count: candidates.len(),
            algorithm: Algorithm::Hashing(Hashing::new(table, candidates)),
        }
    }

    /// The index of the candidate that takes the request whose key has this hash; `None` when all
    /// are skipped, or there is no table.
    pub fn pick_hashed(&mut self, hash: u64, skip: &dyn Fn(usize) -> bool) -> Option<usize> {
        match &self.algorithm {
            Algorithm::Hashing(hashing) => hashing.pick(hash, self.count, skip),
            _ => None,
        }
    }

    /// The index of the candidate that takes the next request; `None` when all are skipped.
    ///
    /// `skip` tells which must not take it: tried before, full, unhealthy. `now_us` is any clock
    /// that doesn't go back, in microseconds, the same as for `observe`.
    pub fn pick(
        &mut self,
        random: &mut Random,
        now_us: u64,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.count < 2 {
            return (self.count == 1 && !skip(0)).then_some(0);
        }
        match &mut self.algorithm {
            Algorithm::RoundRobin(turns) => turns.pick(skip),
            Algorithm::Random(sampler) => sampler.draw_unskipped(random, skip),
            Algorithm::LeastRequest(loads) => loads.pick(random, skip),
            Algorithm::P2cEwma(estimates) => estimates.pick(random, now_us, skip),
            Algorithm::Hashing(hashing) => hashing.pick_any(random, self.count, skip),
        }
    }

    /// Whether `observe` has an effect, so that others needn't measure.
    pub fn wants_latency(&self) -> bool {
        matches!(self.algorithm, Algorithm::P2cEwma(_))
    }

    /// Notes that candidate `index` answered after `latency_us`; only peak-EWMA takes it up.
    pub fn observe(&mut self, index: usize, latency_us: u64, now_us: u64) {
        if let Algorithm::P2cEwma(estimates) = &mut self.algorithm {
            estimates.observe(index, latency_us, now_us);
        }
    }

    /// Goes on where `old` stood, so that frequent changes of endpoints neither favour the first
    /// ones nor forget latencies. `same` gives a candidate's index in `old`, if it was there.
    pub fn carry_over(&mut self, old: &Self, same: impl Fn(usize) -> Option<usize>) {
        match (&mut self.algorithm, &old.algorithm) {
            (Algorithm::RoundRobin(new), Algorithm::RoundRobin(old)) => new.carry_over(old, &same),
            (Algorithm::LeastRequest(new), Algorithm::LeastRequest(old)) => {
                new.carry_over(old, &same);
            }
            (Algorithm::P2cEwma(new), Algorithm::P2cEwma(old)) => new.carry_over(old, &same),
            _ => {}
        }
    }
}
