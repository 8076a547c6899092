//! Whose rate stands out among a cluster's endpoints.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Cause, Peer, Settings};
use crate::policy::health::Obstacle;

/// An endpoint's requests within the interval.
#[derive(Clone, Copy)]
struct Seen<'a> {
    peer: Peer<'a>,
    total: u32,
    /// 0 to 100.
    success_rate: f64,
}

/// The endpoints that stand out, by their answers and, where those are told apart, by the ways
/// there. Begins the next interval.
pub(super) fn outliers<'a>(settings: &Settings, peers: &[Peer<'a>]) -> Vec<(Peer<'a>, Cause)> {
    let mut found = Vec::new();
    let answers: Vec<_> = peers
        .iter()
        .map(|peer| seen(*peer, &peer.tally.answers))
        .collect();
    judge(settings, &answers, &mut found);
    if settings.splits {
        let ways: Vec<_> = peers
            .iter()
            .map(|peer| seen(*peer, &peer.tally.ways))
            .collect();
        judge(settings, &ways, &mut found);
    }
    found
}

fn seen<'a>(peer: Peer<'a>, counts: &AtomicU64) -> Seen<'a> {
    let word = counts.swap(0, Ordering::Relaxed);
    let half = |half: u64| u32::try_from(half & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    let (total, failures) = (half(word), half(word >> 32));
    Seen {
        peer,
        total,
        success_rate: 100.0 - 100.0 * f64::from(failures) / f64::from(total.max(1)),
    }
}

fn judge<'a>(settings: &Settings, all: &[Seen<'a>], found: &mut Vec<(Peer<'a>, Cause)>) {
    let enough = |volume: u32| {
        let present = all
            .iter()
            .filter(|one| !one.peer.health.has(Obstacle::Ejected));
        present.filter(move |one| one.total >= volume.max(1))
    };
    if settings.enforcing_success_rate > 0 {
        let known = enough(settings.success_rate_request_volume);
        let rates: Vec<f64> = known.clone().map(|one| one.success_rate).collect();
        if rates.len() >= settings.success_rate_minimum_hosts as usize
            && let Some(threshold) = threshold(&rates, settings.success_rate_stdev_factor)
        {
            let low = known.filter(|one| one.success_rate < threshold);
            found.extend(low.map(|one| (one.peer, Cause::SuccessRate)));
        }
    }
    if settings.enforcing_failure_percentage > 0 {
        let known = enough(settings.failure_percentage_request_volume);
        let most = f64::from(settings.failure_percentage_threshold);
        if known.clone().count() >= settings.failure_percentage_minimum_hosts as usize {
            let high = known.filter(|one| 100.0 - one.success_rate >= most);
            found.extend(high.map(|one| (one.peer, Cause::FailurePercentage)));
        }
    }
}

/// The mean less so many thousandths of the standard deviation.
fn threshold(rates: &[f64], stdev_factor: u32) -> Option<f64> {
    let count = f64::from(u32::try_from(rates.len()).ok().filter(|count| *count > 0)?);
    let mean = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    Some(mean - f64::from(stdev_factor) / 1000.0 * variance.sqrt())
}
