//! What part of its share each endpoint of a cluster gets now, where that isn't always all of it.

use std::cell::Cell;

use crate::balance::{Random, ShareOf, SlowStart, pick_by_share};
use crate::runtime::clock;
use crate::snapshot::{Cluster, Endpoint};
use crate::wire::cluster::Balance;

/// How long the highest share is taken for what it was: looking at all endpoints costs as much as
/// there are, and none of them grows by more than a hundredth of a percent in the meantime.
const HIGHEST_KEPT_US: u64 = 1_000;

/// One worker's view of the shares in a cluster.
#[derive(Debug)]
pub(super) struct Shares {
    slow_start: Option<SlowStart>,
    /// Whether endpoints that want it are left alone.
    holds: bool,
    /// The highest share, and until when.
    highest: Cell<(f64, u64)>,
}

impl Shares {
    /// None where everybody always gets all.
    pub(super) fn new(cluster: &Cluster) -> Option<Self> {
        let holds = cluster.wire.honor_retry_after;
        (holds || cluster.slow_start.is_some()).then(|| Self {
            slow_start: cluster.slow_start,
            holds,
            highest: Cell::new((1.0, 0)),
        })
    }

    /// Picks by shares; `pick` is told whom it must pass over besides.
    pub(super) fn pick(
        &self,
        cluster: &Cluster,
        random: &mut Random,
        pick: impl FnMut(&mut Random, &dyn Fn(usize) -> bool) -> Option<usize>,
    ) -> Option<usize> {
        let now = clock::nanos(clock::now()) / 1_000;
        let of = |index: usize| {
            let endpoint = cluster.endpoints.get(index);
            endpoint.map_or(0.0, |endpoint| self.of(endpoint, now))
        };
        let balance = cluster.wire.balance;
        let shares = ShareOf {
            of: &of,
            highest: self.highest(cluster, now),
            picks_repeat: matches!(balance, Balance::LeastRequest | Balance::P2cEwma),
        };
        pick_by_share(random, &shares, pick)
    }

    fn of(&self, endpoint: &Endpoint, now: u64) -> f64 {
        if self.holds && endpoint.hold.is_held(now) {
            return 0.0;
        }
        let Some(slow_start) = &self.slow_start else {
            return 1.0;
        };
        let begun = endpoint.since_us.max(endpoint.health.returned_at_us());
        slow_start.share(now.saturating_sub(begun))
    }

    /// The highest share of an endpoint that is available. Where all are new none is held back.
    fn highest(&self, cluster: &Cluster, now: u64) -> f64 {
        let (highest, until) = self.highest.get();
        if now < until {
            return highest;
        }
        let mut highest = 0.0_f64;
        for endpoint in &cluster.endpoints {
            if endpoint.health.is_available() {
                highest = highest.max(self.of(endpoint, now));
            }
            if highest >= 1.0 {
                break;
            }
        }
        self.highest
            .set((highest, now.saturating_add(HIGHEST_KEPT_US)));
        highest
    }
}
