//! Outlier detection: endpoints that fail where others don't are left out for a while.
//!
//! As Envoy defines it. What every outcome touches are a few relaxed atomics of its endpoint; the
//! rest happens when an endpoint fails often in a row, and once an interval.

mod rates;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::health::{Health, Obstacle};
use super::outcome::Outcome;

/// When endpoints are ejected, and for how long. A count of 0 is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// So many failures in a row.
    pub consecutive_5xx: u32,
    /// So many of 502, 503, 504 and, unless told apart, failures on the way there.
    pub consecutive_gateway_failure: u32,
    /// So many failures on the way there, where they are told apart.
    pub consecutive_local_origin_failure: u32,
    /// Whether failures on the way there are told from answers that say so.
    pub splits: bool,
    /// The percentage of detections that eject: of the three above,
    pub enforcing_5xx: u8,
    /// see above,
    pub enforcing_gateway_failure: u8,
    /// see above,
    pub enforcing_local_origin_failure: u8,
    /// of the success rate,
    pub enforcing_success_rate: u8,
    /// of the failure percentage.
    pub enforcing_failure_percentage: u8,
    /// Endpoints with enough requests, below which rates aren't compared.
    pub success_rate_minimum_hosts: u32,
    /// Enough requests within an interval.
    pub success_rate_request_volume: u32,
    /// Below the mean by so many thousandths of the standard deviation is an outlier.
    pub success_rate_stdev_factor: u32,
    /// So many percent failures.
    pub failure_percentage_threshold: u32,
    /// Endpoints with enough requests, below which nobody is ejected for that.
    pub failure_percentage_minimum_hosts: u32,
    /// Enough requests within an interval.
    pub failure_percentage_request_volume: u32,
    /// Statuses that are failures, instead of those from 500 up.
    pub status_codes: Box<[u16]>,
    /// Rates are compared and ejections ended so often.
    pub interval_us: u64,
    /// An ejection's time, the first one.
    pub base_ejection_us: u64,
    /// No ejection is longer.
    pub max_ejection_us: u64,
    /// No more than so many percent of a cluster's endpoints, but one at least.
    pub max_ejection_percent: u8,
}

/// Why an endpoint is ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Failures in a row.
    Consecutive5xx,
    /// Failures of gateways in a row.
    ConsecutiveGatewayFailure,
    /// Failures on the way there in a row.
    ConsecutiveLocalOriginFailure,
    /// It succeeds less often than the others.
    SuccessRate,
    /// It fails too often.
    FailurePercentage,
}

/// What one endpoint's requests came to, over all workers.
#[derive(Debug, Default)]
pub struct Tally {
    row_5xx: AtomicU32,
    row_gateway: AtomicU32,
    row_local: AtomicU32,
    /// Of this interval: failures above, all below.
    answers: AtomicU64,
    /// The same of the ways there, where they are told apart.
    ways: AtomicU64,
    /// How many times the base an ejection lasts; falls again with every interval without one.
    times: AtomicU32,
    /// When it was ejected.
    ejected_us: AtomicU64,
    /// How often.
    ejections: AtomicU64,
}

const FAILURE: u64 = 1 << 32;

impl Tally {
    /// Notes an outcome; the cause, where that was one failure too many in a row.
    #[inline]
    pub fn note(&self, outcome: Outcome, settings: &Settings) -> Option<Cause> {
        let local = !matches!(outcome, Outcome::Answered(_));
        let failed = settings.is_failure(outcome);
        if local && settings.splits {
            return self.note_way(failed, settings);
        }
        let more = 1 + if failed { FAILURE } else { 0 };
        self.answers.fetch_add(more, Ordering::Relaxed);
        if failed {
            return self.note_failure(outcome, settings);
        }
        clear(&self.row_5xx);
        clear(&self.row_gateway);
        if settings.splits {
            self.note_way(false, settings)
        } else {
            None
        }
    }

    #[cold]
    fn note_failure(&self, outcome: Outcome, settings: &Settings) -> Option<Cause> {
        let gateway =
            !matches!(outcome, Outcome::Answered(status) if !(502..=504).contains(&status));
        if settings.splits {
            // It has answered.
            clear(&self.row_local);
        }
        let full = is_full(&self.row_5xx, settings.consecutive_5xx);
        let gateway_full = if gateway {
            is_full(&self.row_gateway, settings.consecutive_gateway_failure)
        } else {
            clear(&self.row_gateway);
            false
        };
        if gateway_full {
            Some(Cause::ConsecutiveGatewayFailure)
        } else {
            full.then_some(Cause::Consecutive5xx)
        }
    }

    fn note_way(&self, failed: bool, settings: &Settings) -> Option<Cause> {
        let more = 1 + if failed { FAILURE } else { 0 };
        self.ways.fetch_add(more, Ordering::Relaxed);
        if failed {
            let full = is_full(&self.row_local, settings.consecutive_local_origin_failure);
            return full.then_some(Cause::ConsecutiveLocalOriginFailure);
        }
        clear(&self.row_local);
        None
    }

    /// How often the endpoint was ejected.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Ordering::Relaxed)
    }

    fn forget_rows(&self) {
        clear(&self.row_5xx);
        clear(&self.row_gateway);
        clear(&self.row_local);
    }
}

/// Writes only where there is something: what nobody writes stays in every cache.
fn clear(row: &AtomicU32) {
    if row.load(Ordering::Relaxed) != 0 {
        row.store(0, Ordering::Relaxed);
    }
}

/// Counts a failure; whether the row has reached `limit`, and begins anew.
fn is_full(row: &AtomicU32, limit: u32) -> bool {
    let full = row.fetch_add(1, Ordering::Relaxed) + 1 == limit;
    if full {
        row.store(0, Ordering::Relaxed);
    }
    full
}

impl Settings {
    fn is_failure(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Answered(status) if !self.status_codes.is_empty() => {
                self.status_codes.contains(&status)
            }
            outcome => outcome.is_failure(),
        }
    }

    const fn enforcing(&self, cause: Cause) -> u8 {
        match cause {
            Cause::Consecutive5xx => self.enforcing_5xx,
            Cause::ConsecutiveGatewayFailure => self.enforcing_gateway_failure,
            Cause::ConsecutiveLocalOriginFailure => self.enforcing_local_origin_failure,
            Cause::SuccessRate => self.enforcing_success_rate,
            Cause::FailurePercentage => self.enforcing_failure_percentage,
        }
    }

    fn ejection_us(&self, times: u32) -> u64 {
        let longest = self.max_ejection_us.max(self.base_ejection_us);
        let time = self.base_ejection_us.saturating_mul(u64::from(times));
        time.min(longest)
    }
}

/// A cluster's endpoint, as its peers see it.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// Where an ejection is noted.
    pub health: &'a Health,
    /// What is known of it.
    pub tally: &'a Tally,
}

/// What became of a detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint is left out.
    Ejected,
    /// As many as may be are left out already.
    Overflow,
    /// By chance it isn't enforced, or it was left out already.
    Spared,
}

/// Ejects one of `peers`, if that may be. The caller lets one judge at a time, so that the bound
/// holds. `draw` is random, for what is enforced by chance.
pub fn eject(
    settings: &Settings,
    peers: &[Peer<'_>],
    (one, cause): (Peer<'_>, Cause),
    (now_us, draw): (u64, u64),
) -> Verdict {
    let enforced = draw % 100 < u64::from(settings.enforcing(cause));
    if !enforced || one.health.has(Obstacle::Ejected) {
        return Verdict::Spared;
    }
    let ejected = peers
        .iter()
        .filter(|peer| peer.health.has(Obstacle::Ejected));
    let ejected = ejected.count();
    let most = usize::from(settings.max_ejection_percent);
    if most == 0 || (ejected > 0 && (ejected + 1) * 100 > most * peers.len()) {
        return Verdict::Overflow;
    }
    one.tally.times.fetch_add(1, Ordering::Relaxed);
    one.tally.ejected_us.store(now_us, Ordering::Relaxed);
    one.tally.ejections.fetch_add(1, Ordering::Relaxed);
    one.health.set(Obstacle::Ejected, true, now_us);
    Verdict::Ejected
}

/// Once an interval: ends ejections, compares rates. `told` hears of every detection.
pub fn sweep(
    settings: &Settings,
    peers: &[Peer<'_>],
    (now_us, draw): (u64, &mut dyn FnMut() -> u64),
    told: &mut dyn FnMut(Cause, Verdict),
) {
    for peer in peers {
        settle(settings, *peer, now_us);
    }
    for (one, cause) in rates::outliers(settings, peers) {
        let verdict = eject(settings, peers, (one, cause), (now_us, draw()));
        told(cause, verdict);
    }
}

/// Ends an ejection whose time is over; of others the next time becomes shorter.
fn settle(settings: &Settings, peer: Peer<'_>, now_us: u64) {
    let Peer { health, tally } = peer;
    let times = tally.times.load(Ordering::Relaxed);
    if !health.has(Obstacle::Ejected) {
        if times > 0 {
            tally.times.store(times - 1, Ordering::Relaxed);
        }
        return;
    }
    let until = tally.ejected_us.load(Ordering::Relaxed) + settings.ejection_us(times);
    if now_us >= until {
        tally.forget_rows();
        health.set(Obstacle::Ejected, false, now_us);
    }
}

#[cfg(test)]
#[path = "outlier_tests.rs"]
mod tests;
