//! What becomes of the calls of hooks.

use crate::telemetry::counters::Counter;

/// What one hook was asked and what came of it, by one worker.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct HookStats {
    /// Times it was called, or asked.
    pub calls_total: Counter,
    /// Calls after which the request went on.
    pub continued_total: Counter,
    /// Calls that answered the request, or closed the connection.
    pub answered_total: Counter,
    /// Calls that sent the request to another cluster.
    pub rerouted_total: Counter,
    /// Calls that raised, said nonsense or broke the contract.
    pub failures_total: Counter,
    /// Calls that took too long.
    pub timeouts_total: Counter,
    /// Times that it was not asked, since as many questions waited as may.
    pub overflow_total: Counter,
    /// Times that it was not asked, since its verdict was remembered.
    pub cache_hits_total: Counter,
    /// Requests that went on although it failed.
    pub allowed_on_error_total: Counter,
    /// Requests refused because it failed.
    pub denied_on_error_total: Counter,
    /// Reloads of its function.
    pub reloads_total: Counter,
    /// Reloads that failed; the function of before goes on.
    pub reload_failures_total: Counter,
}
