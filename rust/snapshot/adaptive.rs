//! A cluster's limit that follows the time of answers, and what can be wrong with it.

use std::sync::Arc;

use super::cluster::Cluster;
use crate::policy::gradient::{Gradient, Settings};
use crate::wire::cluster::AdaptiveConcurrency;
use crate::wire::{self, Problems};

/// The shortest time between two reckonings, so that each has answers to go by.
const INTERVAL_MIN_MS: u64 = 10;

pub(super) fn check(wire: Option<&AdaptiveConcurrency>, problems: &mut Problems) {
    let Some(wire) = wire else {
        return;
    };
    let mut outside = |key: &str, found: u64, hint: &str| {
        let path = format!("adaptive_concurrency.{key}");
        problems.add(
            "adaptive_concurrency_invalid",
            path,
            format!("{found} is out of range"),
            hint,
        );
    };
    let percentile = wire.sample_aggregate_percentile;
    if !(1..=100).contains(&percentile) {
        let hint = "write 1 to 100";
        outside("sample_aggregate_percentile", percentile.into(), hint);
    }
    let interval = wire.concurrency_update_interval_ms;
    if interval < INTERVAL_MIN_MS {
        let hint = "write 10ms or more";
        outside("concurrency_update_interval", interval, hint);
    }
    if wire.max_concurrency_limit == 0 {
        outside("max_concurrency_limit", 0, "write 1 or more");
    }
    let measured = &wire.min_rtt_calc;
    if measured.interval_ms < interval {
        let hint = "write no less than concurrency_update_interval";
        outside("min_rtt_calc.interval", measured.interval_ms, hint);
    }
    if measured.request_count == 0 {
        outside("min_rtt_calc.request_count", 0, "write 1 or more");
    }
    if measured.min_concurrency == 0 {
        outside("min_rtt_calc.min_concurrency", 0, "write 1 or more");
    }
    for (key, percent) in [("jitter", measured.jitter), ("buffer", measured.buffer)] {
        if percent > 100 {
            outside(
                &format!("min_rtt_calc.{key}"),
                percent.into(),
                "write 0 to 100",
            );
        }
    }
}

/// The limit, which goes on with what that of `before` has learned.
pub(super) fn gradient(wire: &wire::Cluster, before: Option<&Cluster>) -> Option<Arc<Gradient>> {
    let written = wire.adaptive_concurrency.as_ref()?;
    let old = before.and_then(|before| before.adaptive.as_ref().map(|old| (before, old)));
    let Some((before, old)) = old else {
        return Some(Arc::new(Gradient::new(Settings::from(written))));
    };
    if before.wire.adaptive_concurrency.as_ref() == Some(written) {
        return Some(Arc::clone(old));
    }
    Some(Arc::new(old.with(Settings::from(written))))
}
