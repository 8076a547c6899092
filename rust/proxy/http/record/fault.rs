//! What a fault of its route does to a request.

use std::time::{Duration, Instant};

use super::Record;
use crate::policy::fault::Injected;
use crate::runtime::clock;

/// What a request waits for before it goes on.
#[derive(Debug)]
pub(in crate::proxy::http) struct Held {
    /// How long its route's fault makes it wait.
    pub(in crate::proxy::http) delay: Duration,
}

impl Record {
    /// What its route's fault does to it.
    pub(in crate::proxy::http) fn inject(&mut self, injected: &Injected) {
        self.held = injected.delay.map(|delay| Box::new(Held { delay }));
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

    /// When the time begins that its route allows: at `complete`, unless it was delayed until now.
    pub(in crate::proxy::http) fn allowed_from(&self, complete: Instant) -> Instant {
        if self.held.is_some() {
            return clock::now();
        }
        complete
    }

    /// What of its time is no endpoint's.
    pub(super) fn delayed_micros(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| {
            u64::try_from(held.delay.as_micros()).unwrap_or(u64::MAX)
        })
    }
}
