//! Places for further attempts of requests.

use super::worker::Worker;
use crate::policy::retry_budget::Spent;
use crate::pool::ClusterRun;

/// Takes a place for a further attempt in the cluster; none where too many are retries already, which
/// is counted. Only who has failed asks, so that requests that succeed pay nothing.
pub fn spend(worker: &Worker, cluster: &ClusterRun) -> Option<Spent> {
    let known = &*cluster.cluster;
    let in_flight = worker.registry.requests_in_flight(&known.name);
    let limit = known.wire.limits.as_ref().map_or(0, |it| it.max_retries);
    // Two workers may pass at once; the budget's own bound is exact.
    let room = limit == 0 || known.retrying.active() < limit;
    let spent = room.then(|| known.retrying.enter(&known.wire.retry_budget, in_flight));
    let spent = spent.flatten();
    if spent.is_none() {
        cluster.stats.retry_overflow_total.increment();
    }
    spent
}
