//! How many requests a cluster may work on at once, learned from how long it takes to answer.
//!
//! Envoy's gradient: limit = limit × (minRTT + buffer) / sampleRTT + √limit, the gradient between ½
//! and 2. A queue makes answers late, which takes the limit down to where there is next to none; the root
//! is the queue that is allowed, so that the limit can grow. Workers share one limit: they count
//! by relaxed atomics, and whoever passes an interval first reckons anew.
//! What differs from Envoy, and why: docs/decisions/0013-adaptive-concurrency.md.

mod control;
mod samples;

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use super::priority::Priority;
use crate::wire::cluster::AdaptiveConcurrency;
use control::Control;
use samples::Samples;

/// What the document says, in the units that are reckoned in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The percentile of answers' times that stands for all.
    percentile: u8,
    /// Nanoseconds between two reckonings.
    interval: u64,
    max_limit: u32,
    min_limit: u32,
    /// Nanoseconds between two measurements of the least time.
    measure_every: u64,
    /// How many answers one takes.
    measure_count: u32,
    /// By which share of it the time to the next one varies.
    jitter: f64,
    /// By which share answers may be later than the least time.
    buffer: f64,
}

impl From<&AdaptiveConcurrency> for Settings {
    fn from(wire: &AdaptiveConcurrency) -> Self {
        let nanos = |ms: u64| ms.saturating_mul(1_000_000);
        let measured = &wire.min_rtt_calc;
        Self {
            percentile: wire.sample_aggregate_percentile,
            interval: nanos(wire.concurrency_update_interval_ms),
            max_limit: wire.max_concurrency_limit,
            min_limit: measured.min_concurrency.min(wire.max_concurrency_limit),
            measure_every: nanos(measured.interval_ms),
            measure_count: measured.request_count,
            jitter: f64::from(measured.jitter) / 100.0,
            buffer: f64::from(measured.buffer) / 100.0,
        }
    }
}

/// A cluster's limit.
#[derive(Debug)]
pub struct Gradient {
    settings: Settings,
    state: Arc<State>,
}

/// What lives on when the document changes.
#[derive(Debug)]
struct State {
    in_flight: AtomicU32,
    limit: AtomicU32,
    /// The most that was in flight since the last reckoning.
    peak: AtomicU32,
    min_rtt_us: AtomicU32,
    /// Requests that began before this are no samples.
    counts_from: AtomicU64,
    /// When to reckon next.
    due: AtomicU64,
    samples: Samples,
    /// The worker whose metrics have the limit, once there is one.
    teller: AtomicUsize,
    control: Mutex<Control>,
}

/// Nobody tells yet.
const NOBODY: usize = usize::MAX;

/// A request that counts; dropping it ends that, and makes no sample.
#[derive(Debug)]
pub struct Place {
    gradient: Arc<Gradient>,
    begun: u64,
}

impl Gradient {
    /// A limit that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        let state = State {
            in_flight: AtomicU32::new(0),
            limit: AtomicU32::new(settings.min_limit),
            peak: AtomicU32::new(0),
            min_rtt_us: AtomicU32::new(0),
            counts_from: AtomicU64::new(0),
            due: AtomicU64::new(0),
            samples: Samples::default(),
            teller: AtomicUsize::new(NOBODY),
            control: Mutex::new(Control::new(settings.min_limit)),
        };
        Self {
            settings,
            state: Arc::new(state),
        }
    }

    /// The same limit under other settings.
    #[must_use]
    pub fn with(&self, settings: Settings) -> Self {
        Self {
            settings,
            state: Arc::clone(&self.state),
        }
    }

    /// Lets a request in at `now`, in nanoseconds since any one moment, unless too many are.
    pub fn enter(self: &Arc<Self>, priority: Priority, now: u64) -> Option<Place> {
        let state = &*self.state;
        let allowed = self.allowed(priority);
        let entered = state
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |active| {
                (active < allowed).then_some(active + 1)
            })
            .ok()?;
        if entered >= state.peak.load(Ordering::Relaxed) {
            state.peak.fetch_max(entered + 1, Ordering::Relaxed);
        }
        Some(Place {
            gradient: Arc::clone(self),
            begun: now,
        })
    }

    /// How many requests may be in flight for one of this priority to be let in: the high may go
    /// beyond the limit by a quarter, for which those below give way as answers become later.
    fn allowed(&self, priority: Priority) -> u32 {
        let limit = self.limit();
        match priority {
            Priority::Low => (limit - limit / 4).max(1),
            Priority::Default => limit,
            Priority::High => limit.saturating_add((limit / 4).max(1)),
        }
    }

    /// How many may be in flight now.
    pub fn limit(&self) -> u32 {
        self.state.limit.load(Ordering::Relaxed)
    }

    /// How many are.
    pub fn in_flight(&self) -> u32 {
        self.state.in_flight.load(Ordering::Relaxed)
    }

    /// What an answer takes that waits in no queue; 0 while that is unknown.
    pub fn min_rtt(&self) -> Duration {
        Duration::from_micros(self.state.min_rtt_us.load(Ordering::Relaxed).into())
    }

    /// Whether this worker is the one whose metrics have the limit: the first that asks. Summed over
    /// workers it would stand there several times.
    pub fn is_told_by(&self, worker: usize) -> bool {
        let teller = &self.state.teller;
        let told = teller.compare_exchange(NOBODY, worker, Ordering::Relaxed, Ordering::Relaxed);
        told.is_ok() || told == Err(worker)
    }

    /// Reckons anew, if nobody did so yet in this interval.
    fn reckon(&self, now: u64) {
        let state = &*self.state;
        let due = state.due.load(Ordering::Relaxed);
        let next = now.saturating_add(self.settings.interval);
        let first = now >= due
            && state
                .due
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !first {
            return;
        }
        let mut control = match state.control.try_lock() {
            Ok(control) => control,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Who has it reckons.
            Err(TryLockError::WouldBlock) => return,
        };
        let peak = || state.peak.swap(self.in_flight(), Ordering::Relaxed);
        control.reckon(&self.settings, &state.samples, peak, now);
        state.limit.store(control.limit(), Ordering::Relaxed);
        state
            .min_rtt_us
            .store(control.min_rtt_us, Ordering::Relaxed);
        state
            .counts_from
            .store(control.counts_from, Ordering::Relaxed);
    }
}

impl Place {
    /// The request is answered at `now`, of whose time `held` was ours. A failure that came sooner
    /// than answers do says nothing of the queue.
    pub fn answered(self, now: u64, held: Duration, failed: bool) {
        let state = &*self.gradient.state;
        if self.begun >= state.counts_from.load(Ordering::Relaxed) {
            let held = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
            let took = now.saturating_sub(self.begun).saturating_sub(held) / 1_000;
            let took = u32::try_from(took).unwrap_or(u32::MAX);
            if !failed || took > state.min_rtt_us.load(Ordering::Relaxed) {
                state.samples.record(took);
            }
        }
        self.gradient.reckon(now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gradient
            .state
            .in_flight
            .fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "gradient_tests.rs"]
mod tests;
