//! What guards a cluster and its endpoints: outlier detection and the circuit breaker.

use std::sync::{Arc, Mutex, PoisonError};

use super::cluster::{Cluster, Endpoint};
use super::{Leases, OpenCount, Place};
use crate::error::ErrorKind;
use crate::policy::breaker::{self, Admission, Breaker};
use crate::policy::health::{Health, Obstacle, Vitals};
use crate::policy::outlier::{self, Cause, Peer, Verdict};
use crate::wire::resilience::{EndpointLimits, Limits, OutlierDetection, Scope};
use crate::wire::{self, Problems};

/// A window shorter than this would be less than its parts are told apart by.
const WINDOW_MIN_MS: u64 = 100;

/// A cluster's guards; there are none where the document asks for none.
#[derive(Debug)]
pub struct Guard {
    /// Which endpoints are left out.
    pub outlier: Option<outlier::Settings>,
    /// When circuits open.
    pub breaker: Option<breaker::Settings>,
    /// Each endpoint has a circuit.
    pub of_endpoints: bool,
    /// The cluster has one.
    pub of_cluster: bool,
    /// How much may be in use at once.
    pub limits: Option<Limits>,
    /// The same of each endpoint.
    pub endpoint_limits: EndpointLimits,
    /// What outlives a change of all that.
    pub live: Arc<Live>,
}

/// A cluster's live state.
#[derive(Debug, Default)]
pub struct Live {
    /// The cluster's circuit.
    pub breaker: Arc<Breaker>,
    /// Its connections, where they have a limit.
    pub connections: Leases,
    /// Requests that wait for a connection.
    pub pending: Arc<OpenCount>,
    /// Requests that endpoints work on, where they have a limit.
    pub requests: Arc<OpenCount>,
    /// Held by who judges endpoints; when intervals began last.
    judging: Mutex<u64>,
}

impl Guard {
    /// Whether beginnings matter.
    pub fn admits(&self) -> bool {
        self.breaker.is_some() || self.limits.is_some() || self.endpoint_limits.max_requests > 0
    }

    /// A place among the cluster's requests; none where it has no limit.
    ///
    /// # Errors
    /// `Overflow` where as many are under way as may be.
    pub fn enter(&self) -> Result<Option<Place>, ErrorKind> {
        let limit = self.limits.as_ref().map_or(0, |limits| limits.max_requests);
        if limit == 0 {
            return Ok(None);
        }
        let place = self.live.requests.enter(limit);
        place.map(Some).ok_or(ErrorKind::Overflow)
    }

    /// Whether outcomes matter.
    pub fn watches(&self) -> bool {
        self.outlier.is_some() || self.breaker.is_some()
    }

    /// Whether the cluster's circuit lets a request pass.
    pub fn admit(&self, now_us: u64) -> Admission {
        match &self.breaker {
            Some(settings) if self.of_cluster => self.live.breaker.admit(settings, now_us),
            _ => Admission::Pass,
        }
    }

    /// Whether an endpoint's circuit lets a request pass.
    pub fn admit_at(&self, health: &Health, now_us: u64) -> Admission {
        match &self.breaker {
            Some(settings) if self.of_endpoints => health.vitals().breaker.admit(settings, now_us),
            _ => Admission::Pass,
        }
    }

    /// Ejects an endpoint for `cause`, if that may be. `draw` is random.
    pub fn eject(
        &self,
        endpoints: &[Arc<Endpoint>],
        (one, cause): (&Endpoint, Cause),
        (now_us, draw): (u64, u64),
    ) -> Option<Verdict> {
        let settings = self.outlier.as_ref()?;
        let _judging = self
            .live
            .judging
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let peers = peers(endpoints);
        let verdict = outlier::eject(settings, &peers, (peer(one), cause), (now_us, draw));
        Some(verdict)
    }

    /// Ends and begins intervals of outlier detection; `told` hears of detections.
    pub fn sweep(
        &self,
        endpoints: &[Arc<Endpoint>],
        (now_us, draw): (u64, &mut dyn FnMut() -> u64),
        told: &mut dyn FnMut(Cause, Verdict),
    ) {
        let Some(settings) = &self.outlier else {
            return;
        };
        let mut since = self
            .live
            .judging
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if now_us < since.saturating_add(settings.interval_us) {
            return;
        }
        *since = now_us;
        outlier::sweep(settings, &peers(endpoints), (now_us, draw), told);
    }
}

impl Cluster {
    /// Takes obstacles away that nobody would any more, and sets those of circuits as these say.
    pub fn settle(&self, now_us: u64) {
        let guard = self.guard.as_deref();
        let ejects = guard.is_some_and(|guard| guard.outlier.is_some());
        let breaks = guard.is_some_and(|guard| guard.of_endpoints);
        for health in self.endpoints.iter().map(|endpoint| &endpoint.health) {
            if breaks {
                settle_circuit(health, now_us);
            } else if health.set(Obstacle::BreakerOpen, false, now_us) {
                health.vitals().breaker.reset();
            }
            if !ejects {
                health.set(Obstacle::Ejected, false, now_us);
            }
        }
        if let Some(guard) = guard.filter(|guard| !guard.of_cluster) {
            guard.live.breaker.reset();
        }
    }
}

fn settle_circuit(health: &Health, now_us: u64) {
    let breaker = &health.vitals().breaker;
    let open = breaker.f() == 1;
    health.set(Obstacle::BreakerOpen, open, now_us);
    if open && breaker.would_pass(now_us) {
        // Who counts what is available has to count it in: it waits for a probe.
        health.generation().advance();
    }
}

fn peer(endpoint: &Endpoint) -> Peer<'_> {
    let health = &*endpoint.health;
    let Vitals { tally, .. } = health.vitals();
    Peer { health, tally }
}

fn peers(endpoints: &[Arc<Endpoint>]) -> Vec<Peer<'_>> {
    endpoints.iter().map(|endpoint| peer(endpoint)).collect()
}

/// A cluster's guards; their live state is that of `before`.
pub(super) fn compile(wire: &wire::Cluster, before: Option<&Cluster>) -> Option<Arc<Guard>> {
    let watches = wire.breaker.is_some() || wire.outlier_detection.is_some();
    if !watches && wire.limits.is_none() && wire.endpoint_limits.is_none() {
        return None;
    }
    let before = before.and_then(|cluster| cluster.guard.as_ref());
    let scope = wire.breaker.as_ref().map(|breaker| breaker.scope);
    Some(Arc::new(Guard {
        outlier: wire.outlier_detection.as_ref().map(outlier_settings),
        breaker: wire.breaker.as_ref().map(breaker_settings),
        of_endpoints: matches!(scope, Some(Scope::Endpoint | Scope::Both)),
        of_cluster: matches!(scope, Some(Scope::Cluster | Scope::Both)),
        limits: wire.limits.clone(),
        endpoint_limits: wire.endpoint_limits.clone().unwrap_or_default(),
        live: before.map_or_else(Arc::default, |guard| Arc::clone(&guard.live)),
    }))
}

fn breaker_settings(wire: &wire::resilience::Breaker) -> breaker::Settings {
    breaker::Settings {
        window_us: micros(wire.window_ms),
        failure_rate: wire.failure_rate.into(),
        minimum_requests: wire.minimum_requests.into(),
        open_for_us: micros(wire.open_for_ms),
        max_open_for_us: micros(wire.max_open_for_ms.max(wire.open_for_ms)),
        probes: wire.probes,
        success_rate: wire.success_rate.into(),
    }
}

fn outlier_settings(wire: &OutlierDetection) -> outlier::Settings {
    outlier::Settings {
        consecutive_5xx: wire.consecutive_5xx,
        consecutive_gateway_failure: wire.consecutive_gateway_failure,
        consecutive_local_origin_failure: wire.consecutive_local_origin_failure,
        splits: wire.split_external_local_origin_errors,
        enforcing_5xx: wire.enforcing_consecutive_5xx,
        enforcing_gateway_failure: wire.enforcing_consecutive_gateway_failure,
        enforcing_local_origin_failure: wire.enforcing_consecutive_local_origin_failure,
        enforcing_success_rate: wire.enforcing_success_rate,
        enforcing_failure_percentage: wire.enforcing_failure_percentage,
        success_rate_minimum_hosts: wire.success_rate_minimum_hosts,
        success_rate_request_volume: wire.success_rate_request_volume,
        success_rate_stdev_factor: wire.success_rate_stdev_factor,
        failure_percentage_threshold: wire.failure_percentage_threshold.into(),
        failure_percentage_minimum_hosts: wire.failure_percentage_minimum_hosts,
        failure_percentage_request_volume: wire.failure_percentage_request_volume,
        status_codes: wire.status_codes.as_slice().into(),
        interval_us: micros(wire.interval_ms),
        base_ejection_us: micros(wire.base_ejection_time_ms),
        max_ejection_us: micros(wire.max_ejection_time_ms),
        max_ejection_percent: wire.max_ejection_percent,
    }
}

fn micros(ms: u64) -> u64 {
    ms.saturating_mul(1_000)
}

/// Checks what no guard could work with.
pub(super) fn check(cluster: &wire::Cluster, problems: &mut Problems) {
    percentage("panic_threshold", cluster.panic_threshold, problems);
    if let Some(breaker) = &cluster.breaker {
        percentage("breaker.failure_rate", breaker.failure_rate, problems);
        percentage("breaker.success_rate", breaker.success_rate, problems);
        if breaker.window_ms < WINDOW_MIN_MS || breaker.open_for_ms == 0 || breaker.probes == 0 {
            problems.add(
                "breaker_invalid",
                "breaker",
                "the window is at least 100ms, open_for above 0s, and there is a probe",
                "the defaults are window: 10s, open_for: 1s, probes: 3",
            );
        }
    }
    if let Some(outlier) = &cluster.outlier_detection {
        for (name, value) in [
            ("max_ejection_percent", outlier.max_ejection_percent),
            (
                "enforcing_consecutive_5xx",
                outlier.enforcing_consecutive_5xx,
            ),
            (
                "enforcing_consecutive_gateway_failure",
                outlier.enforcing_consecutive_gateway_failure,
            ),
            (
                "enforcing_consecutive_local_origin_failure",
                outlier.enforcing_consecutive_local_origin_failure,
            ),
            ("enforcing_success_rate", outlier.enforcing_success_rate),
            (
                "enforcing_failure_percentage",
                outlier.enforcing_failure_percentage,
            ),
            (
                "failure_percentage_threshold",
                outlier.failure_percentage_threshold,
            ),
        ] {
            percentage(&format!("outlier_detection.{name}"), value, problems);
        }
        if outlier.interval_ms == 0 {
            problems.add(
                "timeout_zero",
                "outlier_detection.interval",
                "intervals of 0s never end",
                "write a duration above 0s, for example 10s",
            );
        }
    }
}

fn percentage(path: &str, value: u8, problems: &mut Problems) {
    if value > 100 {
        let message = format!("{value} is no percentage");
        problems.add("percentage_invalid", path, message, "write 0 to 100");
    }
}
