//! The circuit breaker: F(t) = F(t−1) + R(t) − E(t), for one endpoint or one cluster.
//!
//! F is 0 while requests pass and 1 while they don't. R(t), the opening, is 1 only while F is 0 and
//! the failure rate over the sliding window passes the threshold; E(t), the end, is 1 only while F is
//! 1 and the success rate of the probes does. So F is 0 or 1, always. Between its openings and its end
//! stand waits that double, each followed by probes: real requests, few at a time.

mod window;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use window::Window;

/// How often waits can double: more would not fit, and none is that long.
const DOUBLINGS_MAX: u32 = 32;
/// A wait is shorter by up to this share of it by chance, in parts of 256: endpoints that failed
/// together are not all tried again together.
const JITTER: u64 = 64;

/// When a breaker opens, and when it ends that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long outcomes count.
    pub window_us: u64,
    /// It opens where so many percent of the outcomes are failures,
    pub failure_rate: u64,
    /// among so many at least.
    pub minimum_requests: u64,
    /// From an opening to the first probes; doubles each time they fail.
    pub open_for_us: u64,
    /// No wait is longer.
    pub max_open_for_us: u64,
    /// So many requests are probes,
    pub probes: u32,
    /// and it closes where so many percent of them succeed.
    pub success_rate: u32,
}

/// What a breaker makes of a request.
#[derive(Debug)]
pub enum Admission {
    /// It passes.
    Pass,
    /// It passes, and its outcome decides.
    Probe(Probe),
    /// It must not pass.
    Refuse,
}

/// What an outcome changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// R was 1: requests don't pass from now on.
    Opened,
    /// The probes failed: another wait.
    Reopened,
    /// E was 1: requests pass again.
    Closed,
}

/// One breaker, shared by all workers.
#[derive(Debug, Default)]
pub struct Breaker {
    /// F; changed under the lock alone.
    f: AtomicU8,
    /// From when on a probe may begin, while F is 1.
    due_us: AtomicU64,
    window: Window,
    course: Mutex<Course>,
}

#[derive(Debug, Default)]
struct Course {
    /// How many waits there were since F became 1.
    waits: u32,
    /// Counts rounds of probes, so that a late outcome belongs to its own.
    round: u64,
    /// Of this round: begun, succeeded, failed. All zero while it waits.
    begun: u32,
    succeeded: u32,
    failed: u32,
}

/// A request whose outcome decides. Dropped without one, it makes room for another.
#[derive(Debug)]
pub struct Probe {
    breaker: Arc<Breaker>,
    round: u64,
    probes: u32,
}

impl Breaker {
    /// F: 0 closed, 1 open.
    #[inline]
    pub fn f(&self) -> u8 {
        self.f.load(Ordering::Relaxed)
    }

    /// Whether a request may pass at `now_us`, as far as can be said without asking for it.
    #[inline]
    pub fn would_pass(&self, now_us: u64) -> bool {
        self.f() == 0 || self.due_us.load(Ordering::Relaxed) <= now_us
    }

    /// Whether this request passes.
    #[inline]
    pub fn admit(self: &Arc<Self>, settings: &Settings, now_us: u64) -> Admission {
        if self.f() == 0 {
            return Admission::Pass;
        }
        self.probe(settings, now_us)
    }

    #[cold]
    fn probe(self: &Arc<Self>, settings: &Settings, now_us: u64) -> Admission {
        let mut course = self.lock();
        if self.f() == 0 {
            return Admission::Pass;
        }
        if self.due_us.load(Ordering::Relaxed) > now_us {
            return Admission::Refuse;
        }
        if course.begun == 0 || course.begun >= settings.probes {
            course.begin_round();
        }
        course.begun += 1;
        if course.begun >= settings.probes {
            // Probes that come to no end by then are given up for others.
            let patience = now_us.saturating_add(settings.max_open_for_us);
            self.due_us.store(patience, Ordering::Relaxed);
        }
        Admission::Probe(Probe {
            breaker: Arc::clone(self),
            round: course.round,
            probes: settings.probes,
        })
    }

    /// Notes the outcome of a request that was no probe. `random` makes waits differ.
    #[inline]
    pub fn note(
        &self,
        failed: bool,
        settings: &Settings,
        (now_us, random): (u64, u64),
    ) -> Option<Change> {
        if self.f() == 1 {
            // Begun before the opening: the probes alone decide.
            return None;
        }
        self.window.add(failed, settings.window_us, now_us);
        if failed {
            self.judge(settings, (now_us, random))
        } else {
            None
        }
    }

    #[cold]
    fn judge(&self, settings: &Settings, (now_us, random): (u64, u64)) -> Option<Change> {
        let mut course = self.lock();
        if self.f() == 1 {
            return None;
        }
        let (total, failures) = self.window.sum(settings.window_us, now_us);
        let passes = total >= settings.minimum_requests.max(1)
            && failures * 100 >= settings.failure_rate * total;
        if !passes {
            return None;
        }
        self.step(1, 0);
        course.waits = 0;
        self.wait(&mut course, settings, (now_us, random));
        Some(Change::Opened)
    }

    /// Notes the outcome of a probe.
    pub fn end(
        &self,
        probe: Probe,
        failed: bool,
        settings: &Settings,
        (now_us, random): (u64, u64),
    ) -> Option<Change> {
        let (round, probes) = probe.used();
        let mut course = self.lock();
        if !self.is_of_now(&course, round) {
            return None;
        }
        if failed {
            course.failed += 1;
        } else {
            course.succeeded += 1;
        }
        let wanted = u64::from(settings.success_rate) * probes;
        if u64::from(course.succeeded) * 100 >= wanted {
            self.window.clear();
            self.step(0, 1);
            course.begin_round();
            return Some(Change::Closed);
        }
        let best = probes.saturating_sub(u64::from(course.failed));
        if best * 100 < wanted {
            self.wait(&mut course, settings, (now_us, random));
            return Some(Change::Reopened);
        }
        None
    }

    /// Forgets everything: nobody breaks this circuit any more. Whether it was open.
    pub fn reset(&self) -> bool {
        let mut course = self.lock();
        course.begin_round();
        self.window.clear();
        let open = self.f();
        self.step(0, open);
        open == 1
    }

    /// F(t) = F(t−1) + R(t) − E(t).
    fn step(&self, r: u8, e: u8) {
        let before = self.f();
        debug_assert!(r <= 1 - before && e <= before, "{before} + {r} - {e}");
        self.f.store(before + r - e, Ordering::Relaxed);
    }

    fn wait(&self, course: &mut Course, settings: &Settings, (now_us, random): (u64, u64)) {
        let doubled = settings
            .open_for_us
            .saturating_mul(1 << course.waits.min(DOUBLINGS_MAX));
        let wait = doubled.min(settings.max_open_for_us.max(settings.open_for_us));
        let less = wait / 256 * (random % (JITTER + 1));
        self.due_us.store(now_us + wait - less, Ordering::Relaxed);
        course.waits += 1;
        course.begin_round();
    }

    fn is_of_now(&self, course: &Course, round: u64) -> bool {
        self.f() == 1 && course.begun > 0 && course.round == round
    }

    /// A probe that came to nothing.
    fn release(&self, probe: &Probe) {
        let mut course = self.lock();
        if self.is_of_now(&course, probe.round) {
            course.begun -= 1;
            // At once: the wait is over.
            self.due_us.store(0, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Course> {
        // Each call leaves a whole course behind.
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Course {
    fn begin_round(&mut self) {
        self.round += 1;
        (self.begun, self.succeeded, self.failed) = (0, 0, 0);
    }
}

impl Probe {
    /// Its outcome is known: its place is not given back. Its round, and how many it has.
    fn used(mut self) -> (u64, u64) {
        let round = std::mem::take(&mut self.round);
        (round, u64::from(self.probes.max(1)))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if self.round > 0 {
            self.breaker.release(self);
        }
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
