//! How endpoints that are new get their share.

use crate::balance::SlowStart;
use crate::runtime::clock;
use crate::wire::{self, Problems};

/// Ten times a straight line's, and a tenth of it: what lies beyond is a jump at one end.
const AGGRESSION_PERCENT: std::ops::RangeInclusive<u32> = 10..=1_000;

pub(super) fn check(cluster: &wire::Cluster, problems: &mut Problems) {
    let Some(slow_start) = &cluster.slow_start else {
        return;
    };
    if slow_start.window_ms == 0 {
        let hint = "write a duration above 0s, for example 30s, or leave slow_start out";
        problems.add(
            "timeout_zero",
            "slow_start.window",
            "nothing grows in 0s",
            hint,
        );
    }
    if !AGGRESSION_PERCENT.contains(&slow_start.aggression_percent) {
        let message = "the growth would be a jump";
        let hint = "write 0.1 to 10; 1.0 is a straight line";
        problems.add("slow_start_invalid", "slow_start.aggression", message, hint);
    }
    if !(1..=100).contains(&slow_start.min_weight_percent) {
        let message = "an endpoint needs requests to show that it bears them";
        let key = "slow_start.min_weight_percent";
        problems.add("slow_start_invalid", key, message, "write 1 to 100");
    }
}

pub(super) fn compile(cluster: &wire::Cluster) -> Option<SlowStart> {
    let slow_start = cluster.slow_start.as_ref()?;
    Some(SlowStart::new(
        slow_start.window_ms.saturating_mul(1_000),
        slow_start.aggression_percent,
        slow_start.min_weight_percent,
    ))
}

/// When an endpoint that is made now came.
pub(super) fn now_us() -> u64 {
    clock::nanos(clock::now()) / 1_000
}
