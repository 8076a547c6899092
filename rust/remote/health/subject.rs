//! An endpoint that is checked: where it is now, and which of its checks fail.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::policy::health::Obstacle;
use crate::runtime::clock;
use crate::snapshot::{Cluster, Endpoint};
use crate::telemetry::HealthCheckStats;

/// An endpoint that is checked.
pub(super) struct Subject {
    target: RefCell<Target>,
    /// A bit for each check that fails; a cluster has few (`snapshot`'s `CHECKS_MAX`).
    failing: Cell<u32>,
    pub(super) stats: Arc<HealthCheckStats>,
}

/// An endpoint as the snapshot in force has it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) cluster: Arc<Cluster>,
    pub(super) endpoint: Arc<Endpoint>,
}

impl Subject {
    pub(super) fn new(
        cluster: &Arc<Cluster>,
        endpoint: &Arc<Endpoint>,
        stats: Arc<HealthCheckStats>,
    ) -> Self {
        let failed = endpoint.health.has(Obstacle::FailedCheck);
        let target = Target {
            cluster: Arc::clone(cluster),
            endpoint: Arc::clone(endpoint),
        };
        Self {
            target: RefCell::new(target),
            failing: Cell::new(if failed { u32::MAX } else { 0 }),
            stats,
        }
    }

    /// What to ask now.
    pub(super) fn target(&self) -> Target {
        self.target.borrow().clone()
    }

    /// Another snapshot has the endpoint too.
    pub(super) fn turn_to(&self, cluster: &Arc<Cluster>, endpoint: &Arc<Endpoint>) {
        *self.target.borrow_mut() = Target {
            cluster: Arc::clone(cluster),
            endpoint: Arc::clone(endpoint),
        };
        // It may stand there with a health of its own.
        self.publish();
    }

    /// Notes whether check `index` fails; whether that changed what requests see.
    pub(super) fn note(&self, index: usize, fails: bool) -> bool {
        let checks = self.target.borrow().cluster.wire.health_checks.len();
        let all = 1_u32
            .checked_shl(index_bits(checks))
            .map_or(u32::MAX, |end| end - 1);
        let bit = 1_u32.checked_shl(index_bits(index)).unwrap_or(0);
        let failing = self.failing.get() & all;
        self.failing
            .set(if fails { failing | bit } else { failing & !bit });
        let changed = self.publish();
        if changed {
            count(&self.target.borrow().cluster, &self.stats);
        }
        changed
    }

    /// An address that a cluster names twice is one endpoint to a check.
    fn publish(&self) -> bool {
        let target = self.target.borrow();
        let (fails, now_us) = (self.failing.get() != 0, now_us());
        let mut changed = false;
        let address = &target.endpoint.address;
        let endpoints = target.cluster.endpoints.iter();
        for endpoint in endpoints.filter(|endpoint| endpoint.address == *address) {
            changed |= endpoint.health.set(Obstacle::FailedCheck, fails, now_us);
        }
        changed
    }
}

fn index_bits(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn now_us() -> u64 {
    clock::nanos(clock::now()) / 1_000
}

/// Counts how many endpoints are held to be healthy.
pub(super) fn count(cluster: &Cluster, stats: &HealthCheckStats) {
    let all = cluster.endpoints.iter();
    let healthy = all.filter(|endpoint| !endpoint.health.has(Obstacle::FailedCheck));
    let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    stats.endpoints_healthy.set(gauge(healthy.count()));
    stats.endpoints.set(gauge(cluster.endpoints.len()));
}

/// Nothing is checked any more, so nothing has failed.
pub(super) fn acquit(cluster: &Cluster) {
    for endpoint in &cluster.endpoints {
        endpoint.health.set(Obstacle::FailedCheck, false, now_us());
    }
}
