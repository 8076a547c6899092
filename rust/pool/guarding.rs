//! Beginning attempts where circuits may be open, and noting what came of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use super::{ClusterRun, EndpointRun, InFlight, Tried};
use crate::balance::Random;
use crate::error::ErrorKind;
use crate::policy::breaker::{Admission, Breaker, Change, Probe, Settings};
use crate::policy::health::{Health, Obstacle};
use crate::policy::outcome::Outcome;
use crate::policy::outlier::{Cause, Verdict};
use crate::runtime::clock;
use crate::snapshot::{Guard, Lease};
use crate::telemetry::GuardStats;

/// The circuits that an attempt's outcome decides about.
#[derive(Debug, Default)]
pub struct Probes {
    cluster: RefCell<Option<Probe>>,
    endpoint: RefCell<Option<Probe>>,
}

/// Whose limit of connections is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The endpoint's.
    Endpoint,
    /// The cluster's.
    Cluster,
}

impl ClusterRun {
    /// Begins an attempt at an endpoint that `tried` doesn't hold. `now` is the time, and the same in
    /// microseconds of any clock that doesn't go back.
    ///
    /// # Errors
    /// `NoEndpoint` when none is left, `CircuitOpen`, `Overflow` at a limit.
    pub fn begin(
        &self,
        random: &mut Random,
        now: (Instant, u64),
        tried: &mut Tried,
    ) -> Result<InFlight, ErrorKind> {
        match &self.cluster.guard {
            Some(guard) if guard.admits() => self.begin_guarded(guard, random, now, tried),
            _ => {
                let run = self.pick(random, now.1, tried);
                let run = run.ok_or(ErrorKind::NoEndpoint)?;
                Ok(InFlight::begin(Rc::clone(run)))
            }
        }
    }

    fn begin_guarded(
        &self,
        guard: &Guard,
        random: &mut Random,
        (now, now_us): (Instant, u64),
        tried: &mut Tried,
    ) -> Result<InFlight, ErrorKind> {
        let shared_us = clock::micros(now);
        let place = guard.enter().inspect_err(|_| self.overflows())?;
        let of_cluster = match guard.admit(shared_us) {
            Admission::Pass => None,
            Admission::Probe(probe) => Some(probe),
            Admission::Refuse => {
                self.count(|stats| stats.breaker_refused_total.increment());
                return Err(ErrorKind::CircuitOpen);
            }
        };
        let limit = guard.endpoint_limits.max_requests;
        let mut full = false;
        loop {
            let Some(run) = self.pick(random, now_us, tried) else {
                return Err(self.none_left(full));
            };
            let Some(flight) = InFlight::try_begin(Rc::clone(run), limit) else {
                full = true;
                continue;
            };
            let of_endpoint = match guard.admit_at(&run.endpoint.health, shared_us) {
                Admission::Pass => None,
                Admission::Probe(probe) => Some(probe),
                // In a panic it takes part although its circuit is open.
                Admission::Refuse if self.panics() => None,
                // Others have taken the last place for a probe.
                Admission::Refuse => continue,
            };
            let probes = self.probes(of_cluster, of_endpoint);
            return Ok(flight.with(probes, place));
        }
    }

    fn none_left(&self, full: bool) -> ErrorKind {
        if !full {
            return ErrorKind::NoEndpoint;
        }
        self.overflows();
        ErrorKind::Overflow
    }

    /// A request is refused at a limit.
    pub fn overflows(&self) {
        self.stats.overflow_total.increment();
    }

    /// A place for a connection to an endpoint.
    ///
    /// # Errors
    /// Whose limit is reached.
    pub fn lease(&self, run: &EndpointRun) -> Result<Lease, Full> {
        let pool = self.cluster.wire.pool.max_connections;
        let guard = self.cluster.guard.as_deref();
        let Some(guard) = guard else {
            return run.endpoint.open.enter(pool).ok_or(Full::Endpoint);
        };
        let own = guard.endpoint_limits.max_connections;
        let limit = [pool, own].into_iter().filter(|limit| *limit > 0).min();
        let lease = run.endpoint.open.enter(limit.unwrap_or(0));
        let lease = lease.ok_or(Full::Endpoint)?;
        let limit = guard.limits.as_ref().map_or(0, |it| it.max_connections);
        lease
            .within(&guard.live.connections, limit)
            .ok_or(Full::Cluster)
    }

    fn probes(&self, cluster: Option<Probe>, endpoint: Option<Probe>) -> Option<Rc<Probes>> {
        if cluster.is_none() && endpoint.is_none() {
            return None;
        }
        self.count(|stats| stats.breaker_probes_total.increment());
        Some(Rc::new(Probes {
            cluster: RefCell::new(cluster),
            endpoint: RefCell::new(endpoint),
        }))
    }

    /// Whether only its circuit keeps requests away from an endpoint, which waits for a probe.
    pub(super) fn awaits_probe(&self, health: &Health) -> bool {
        let guard = self.cluster.guard.as_ref();
        guard.is_some_and(|guard| guard.of_endpoints)
            && health.has_only(Obstacle::BreakerOpen)
            && health
                .vitals()
                .breaker
                .would_pass(clock::micros(clock::now()))
    }

    /// An attempt failed before there was a connection.
    pub fn failed(&self, flight: &InFlight, kind: ErrorKind) {
        if let Some(outcome) = Outcome::of(kind) {
            let probes = flight.probes().map(|probes| &**probes);
            self.came_to(flight.run(), probes, outcome);
        }
    }

    /// An attempt to get a connection for bytes succeeded.
    pub fn connected(&self, flight: &InFlight) {
        let probes = flight.probes().map(|probes| &**probes);
        self.came_to(flight.run(), probes, Outcome::Connected);
    }

    /// Notes what an attempt at an endpoint came to.
    #[inline]
    pub fn came_to(&self, run: &EndpointRun, probes: Option<&Probes>, outcome: Outcome) {
        if let Some(guard) = &self.cluster.guard
            && guard.watches()
        {
            self.note(guard, run, probes, outcome);
        }
    }

    fn note(&self, guard: &Guard, run: &EndpointRun, probes: Option<&Probes>, outcome: Outcome) {
        let nanos = clock::nanos(clock::now());
        // The clock's last digits are chance enough for jitter.
        let now = (nanos / 1_000, nanos ^ nanos >> 10);
        let health = &run.endpoint.health;
        if let Some(settings) = &guard.breaker {
            self.note_circuits(
                guard,
                settings,
                (health, probes),
                (outcome.is_failure(), now),
            );
        }
        if let Some(settings) = &guard.outlier
            && let Some(cause) = health.vitals().tally.note(outcome, settings)
        {
            let found = (&*run.endpoint, cause);
            let verdict = guard.eject(&self.cluster.endpoints, found, now);
            self.count(|stats| count_verdict(stats, cause, verdict));
        }
    }

    fn note_circuits(
        &self,
        guard: &Guard,
        settings: &Settings,
        (health, probes): (&Health, Option<&Probes>),
        (failed, now): (bool, (u64, u64)),
    ) {
        if guard.of_cluster {
            let probe = probes.and_then(|probes| probes.cluster.take());
            self.settle(&guard.live.breaker, (probe, failed), settings, now);
        }
        if guard.of_endpoints {
            let probe = probes.and_then(|probes| probes.endpoint.take());
            let breaker = &health.vitals().breaker;
            let change = self.settle(breaker, (probe, failed), settings, now);
            if change.is_some() {
                health.set(Obstacle::BreakerOpen, breaker.f() == 1, now.0);
            }
        }
    }

    fn settle(
        &self,
        breaker: &Breaker,
        (probe, failed): (Option<Probe>, bool),
        settings: &Settings,
        now: (u64, u64),
    ) -> Option<Change> {
        let change = match probe {
            Some(probe) => breaker.end(probe, failed, settings, now),
            None => breaker.note(failed, settings, now),
        };
        if let Some(change) = change {
            self.count(|stats| match change {
                Change::Opened => stats.breaker_opened_total.increment(),
                Change::Reopened => stats.breaker_reopened_total.increment(),
                Change::Closed => stats.breaker_closed_total.increment(),
            });
        }
        change
    }

    fn count(&self, add: impl FnOnce(&GuardStats)) {
        if let Some(stats) = &self.guard_stats {
            add(stats);
        }
    }
}

/// Counts what became of a detection.
pub fn count_verdict(stats: &GuardStats, cause: Cause, verdict: Option<Verdict>) {
    stats.ejections_detected.record(cause as usize);
    match verdict {
        Some(Verdict::Ejected) => stats.ejections_enforced.record(cause as usize),
        Some(Verdict::Overflow) => stats.ejections_overflow_total.increment(),
        Some(Verdict::Spared) | None => {}
    }
}
