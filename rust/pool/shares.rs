//! What part of its share each endpoint of a cluster gets now, where that isn't always all of it.

use std::cell::Cell;

use crate::balance::{Picker, Random, SlowStart};
use crate::runtime::clock;
use crate::snapshot::{Cluster, Endpoint};

/// How long the highest share is taken for what it was: looking at all endpoints costs as much as
/// there are, and none of them grows by more than a hundredth of a percent in the meantime.
const HIGHEST_KEPT_US: u64 = 1_000;

/// One worker's view of the shares in a cluster.
#[derive(Debug)]
pub(super) struct Shares {
    slow_start: SlowStart,
    /// The highest share, and until when.
    highest: Cell<(f64, u64)>,
}

impl Shares {
    /// None where everybody always gets all.
    pub(super) fn new(cluster: &Cluster) -> Option<Self> {
        Some(Self {
            slow_start: cluster.slow_start?,
            highest: Cell::new((1.0, 0)),
        })
    }

    /// Picks by shares.
    pub(super) fn pick(
        &self,
        cluster: &Cluster,
        picker: &mut Picker,
        (random, now_us): (&mut Random, u64),
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        // Endpoints' times are of the clock that all threads share; `now_us` is the worker's own.
        let now = clock::nanos(clock::now()) / 1_000;
        let highest = self.highest(cluster, now);
        let share = |index: usize| {
            let endpoint = cluster.endpoints.get(index);
            endpoint.map_or(0.0, |endpoint| self.of(endpoint, now))
        };
        picker.pick_shared(random, now_us, skip, (&share, highest))
    }

    fn of(&self, endpoint: &Endpoint, now: u64) -> f64 {
        let begun = endpoint.since_us.max(endpoint.health.returned_at_us());
        self.slow_start.share(now.saturating_sub(begun))
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
