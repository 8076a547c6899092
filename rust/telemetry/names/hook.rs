//! What is counted of hooks.

use super::counter;
use crate::telemetry::blocks::HookStats;
use crate::telemetry::metric::{Block, Metric};

impl Block for HookStats {
    const SCOPE: &'static str = "hook";
    const LABELS: &'static [&'static str] = &["hook"];
    const METRICS: &'static [Metric<Self>] = &[
        counter(
            "meshcore_hook_calls_total",
            "Times it was called, or asked.",
            |s| &s.calls_total,
        ),
        counter(
            "meshcore_hook_continued_total",
            "Calls after which the request went on.",
            |s| &s.continued_total,
        ),
        counter(
            "meshcore_hook_answered_total",
            "Calls that answered the request, or closed the connection.",
            |s| &s.answered_total,
        ),
        counter(
            "meshcore_hook_rerouted_total",
            "Calls that sent the request to another cluster.",
            |s| &s.rerouted_total,
        ),
        counter(
            "meshcore_hook_failures_total",
            "Calls that raised, said nonsense or broke the contract.",
            |s| &s.failures_total,
        ),
        counter(
            "meshcore_hook_timeouts_total",
            "Calls that took too long.",
            |s| &s.timeouts_total,
        ),
        counter(
            "meshcore_hook_overflow_total",
            "Times that it was not asked, since as many questions waited as may.",
            |s| &s.overflow_total,
        ),
        counter(
            "meshcore_hook_cache_hits_total",
            "Times that it was not asked, since its verdict was remembered, or on its way.",
            |s| &s.cache_hits_total,
        ),
        counter(
            "meshcore_hook_allowed_on_error_total",
            "Requests that went on although it failed.",
            |s| &s.allowed_on_error_total,
        ),
        counter(
            "meshcore_hook_denied_on_error_total",
            "Requests refused because it failed.",
            |s| &s.denied_on_error_total,
        ),
        counter(
            "meshcore_hook_reloads_total",
            "Reloads of its function.",
            |s| &s.reloads_total,
        ),
        counter(
            "meshcore_hook_reload_failures_total",
            "Reloads that failed; the function of before goes on.",
            |s| &s.reload_failures_total,
        ),
    ];
}
