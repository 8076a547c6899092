//! What a fault of its route does to a request.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Record;
use crate::policy::fault::Injected;
use crate::policy::rate_limit::Verdict;
use crate::pool::ClusterRun;
use crate::proxy::limiter::Ask;
use crate::runtime::clock;

/// What a request waits for before it goes on.
#[derive(Debug, Default)]
pub(in crate::proxy::http) struct Held {
    /// How long its route's fault makes it wait.
    pub(in crate::proxy::http) delay: Option<Duration>,
    /// That it has waited so long already.
    pub(in crate::proxy::http) delayed: bool,
    /// Whom its route's limits ask.
    pub(in crate::proxy::http) asks: Vec<Ask>,
    /// The limit with the least left, of those that were asked.
    pub(in crate::proxy::http) told: Option<Verdict>,
    /// How many microseconds it waited.
    pub(in crate::proxy::http) waited: u64,
}

impl Record {
    /// What its route's fault does to it.
    pub(in crate::proxy::http) fn inject(&mut self, injected: &Injected) {
        if injected.delay.is_some() {
            self.held.get_or_insert_default().delay = injected.delay;
        }
        let Some(stats) = &self.route else {
            return;
        };
        if injected.delay.is_some() {
            stats.fault_delays_total.increment();
        }
        if injected.abort.is_some() {
            stats.fault_aborts_total.increment();
        }
    }

    /// Whether somebody else has to be asked first.
    pub(in crate::proxy::http) fn asks(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.asks.is_empty())
    }

    /// It goes on to its cluster, if that wasn't counted before.
    pub(in crate::proxy::http) fn goes_to(&mut self, cluster: &Rc<ClusterRun>) {
        if self.cluster.is_none() {
            self.chose_cluster(cluster);
        }
    }

    /// When the time begins that its route allows: at `complete`, unless it was held until now.
    pub(in crate::proxy::http) fn allowed_from(&self, complete: Instant) -> Instant {
        if self.held.is_some() {
            return clock::now();
        }
        complete
    }

    /// What of its time is no endpoint's.
    pub(super) fn delayed_micros(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.waited)
    }
}
