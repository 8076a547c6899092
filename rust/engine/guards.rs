//! What the service thread does for guarded clusters: intervals, obstacles, gauges.

use std::sync::Arc;
use std::time::Duration;

use super::view::Seen;
use crate::balance::Random;
use crate::policy::health::Obstacle;
use crate::pool::count_verdict;
use crate::runtime::clock;
use crate::snapshot::{Cluster, Guard, Snapshot};
use crate::telemetry::{Gauge, GuardStats, Registry};

/// How often intervals are looked at, so that they end with so little delay.
const TURN: Duration = Duration::from_millis(100);

/// Looks after guarded clusters until it is dropped.
pub(super) async fn watch(seen: Arc<Seen>, seed: u64) {
    let mut random = Random::seeded(seed);
    // The first change may be in force before this begins.
    let mut known = None;
    let mut clusters: Vec<Arc<Cluster>> = Vec::new();
    loop {
        tokio::time::sleep(TURN).await;
        let snapshot = seen.snapshot();
        if !known.as_ref().is_some_and(|it| Arc::ptr_eq(it, &snapshot)) {
            clusters = guarded(&snapshot).map(|(it, _)| Arc::clone(it)).collect();
            known = Some(snapshot);
        }
        for cluster in &clusters {
            turn(&seen, cluster, &mut random);
        }
    }
}

fn turn(seen: &Seen, cluster: &Cluster, random: &mut Random) {
    let Some(guard) = &cluster.guard else {
        return;
    };
    let now_us = clock::micros(clock::now());
    cluster.settle(now_us);
    let stats = seen.registry.guard(Registry::SERVICE, &cluster.name);
    let mut draw = || random.next_u64();
    guard.sweep(
        &cluster.endpoints,
        (now_us, &mut draw),
        &mut |cause, verdict| {
            count_verdict(&stats, cause, Some(verdict));
        },
    );
}

/// Takes obstacles away that nobody would any more.
pub(super) fn settle(snapshot: &Snapshot) {
    let now_us = clock::micros(clock::now());
    for cluster in snapshot.clusters.iter().flatten() {
        if cluster.guard.is_none() {
            cluster.settle(now_us);
        }
    }
}

/// Sets the gauges of guarded clusters, for somebody who asks now.
pub(super) fn set_gauges(snapshot: &Snapshot, registry: &Registry) {
    for (cluster, guard) in guarded(snapshot) {
        let stats = registry.guard(Registry::SERVICE, &cluster.name);
        let count = |that: &dyn Fn(&crate::snapshot::Endpoint) -> bool| {
            let count = cluster.endpoints.iter().filter(|one| that(one)).count();
            i64::try_from(count).unwrap_or(i64::MAX)
        };
        stats.membership.set(count(&|_| true));
        stats
            .membership_healthy
            .set(count(&|one| one.health.is_available()));
        let ejected = count(&|one| one.health.has(Obstacle::Ejected));
        stats.ejections_active.set(ejected);
        stats.breaker_open.set(guard.live.breaker.f().into());
        set_limits(guard, &stats);
        for endpoint in &cluster.endpoints {
            let stats = registry.endpoint_guard(&cluster.name, &endpoint.text);
            stats.available.set(endpoint.health.is_available().into());
            let breaks = guard.of_endpoints;
            let f = if breaks {
                endpoint.health.vitals().breaker.f()
            } else {
                0
            };
            stats.breaker_open.set(f.into());
        }
    }
}

fn set_limits(guard: &Guard, stats: &GuardStats) {
    let Some(limits) = &guard.limits else {
        return;
    };
    let live = &guard.live;
    stats.requests_pending.set(live.pending.value().into());
    let set = |limit: u32, now: u32, open: &Gauge, remaining: &Gauge| {
        open.set(i64::from(limit > 0 && now >= limit));
        remaining.set(limit.saturating_sub(now).into());
    };
    let now = live.connections.value();
    let (open, remaining) = (&stats.cx_open, &stats.remaining_cx);
    set(limits.max_connections, now, open, remaining);
    let now = live.requests.value();
    let (open, remaining) = (&stats.rq_open, &stats.remaining_rq);
    set(limits.max_requests, now, open, remaining);
    let now = live.pending.value();
    let (open, remaining) = (&stats.rq_pending_open, &stats.remaining_pending);
    set(limits.max_pending_requests, now, open, remaining);
}

fn guarded(snapshot: &Snapshot) -> impl Iterator<Item = (&Arc<Cluster>, &Guard)> {
    let clusters = snapshot.clusters.iter().flatten();
    clusters.filter_map(|cluster| Some((cluster, cluster.guard.as_deref()?)))
}
