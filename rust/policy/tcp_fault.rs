//! Which TCP connections are delayed, reset or slowed on purpose, and at what pace the slow ones go.

use std::time::Duration;

use super::fault::{Chance, DELAY_MAX};
use crate::wire::Problems;
use crate::wire::listener;

/// A pace's step: long enough to be slept precisely, short enough to look like a slow line.
const STEP: Duration = Duration::from_millis(50);

/// The most that goes in one step; what is faster than that times twenty goes in shorter ones.
const STEP_BYTES_MAX: u64 = 64 * 1024;

const SECOND: u64 = 1_000_000_000;

/// What is done to a listener's connections.
#[derive(Debug)]
pub struct TcpFault {
    delay: Option<(Duration, Chance)>,
    reset: Option<(Duration, Chance)>,
    bandwidth: Option<(u64, Chance)>,
}

/// What is done to one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected {
    /// It waits.
    pub delay: Option<Duration>,
    /// It is reset after this, the wait included.
    pub reset: Option<Duration>,
    /// Bytes a second in each direction.
    pub bandwidth: Option<u64>,
}

impl TcpFault {
    /// Compiles a listener's fault; `None` when it noted a problem.
    pub fn compile(wire: &listener::TcpFault, problems: &mut Problems) -> Option<Self> {
        let mut sound = true;
        let mut wrong = |at: &str, message: &str, hint: &str| {
            problems.add("fault_invalid", at, message, hint);
            sound = false;
        };
        if wire.delay.is_none() && wire.reset.is_none() && wire.bandwidth.is_none() {
            let hint = "write delay, reset or bandwidth";
            wrong("fault", "a fault delays, resets or slows", hint);
        }
        let hint = "write a duration above 0s and up to 1h";
        let delay = wire.delay.as_ref().map(|delay| {
            let time = Duration::from_millis(delay.fixed_ms);
            if time.is_zero() || time > DELAY_MAX {
                wrong(
                    "fault.delay.fixed",
                    "no delay that a connection can have",
                    hint,
                );
            }
            (time, Chance::of(delay.percentage))
        });
        let reset = wire.reset.as_ref().map(|reset| {
            let time = Duration::from_millis(reset.after_ms);
            if time > DELAY_MAX {
                wrong(
                    "fault.reset.after",
                    "later than connections are watched",
                    "up to 1h",
                );
            }
            (time, Chance::of(reset.percentage))
        });
        let bandwidth = wire.bandwidth.as_ref().map(|bandwidth| {
            if bandwidth.bytes_per_second == 0 {
                let at = "fault.bandwidth.bytes_per_second";
                wrong(
                    at,
                    "nothing would pass",
                    "write 1 or more, for example 64KiB",
                );
            }
            let chance = Chance::of(bandwidth.percentage);
            (bandwidth.bytes_per_second, chance)
        });
        sound.then_some(Self {
            delay,
            reset,
            bandwidth,
        })
    }

    /// What is done to a connection; `random` draws uniformly from all of `u64`.
    pub fn decide(&self, mut random: impl FnMut() -> u64) -> Injected {
        Injected {
            delay: drawn(self.delay, &mut random),
            reset: drawn(self.reset, &mut random),
            bandwidth: drawn(self.bandwidth, &mut random),
        }
    }
}

fn drawn<T>(fault: Option<(T, Chance)>, random: &mut impl FnMut() -> u64) -> Option<T> {
    let (what, chance) = fault?;
    chance.falls_on(random()).then_some(what)
}

/// One direction of a slow connection: a bucket that is empty between two steps.
#[derive(Debug)]
pub struct Pace {
    rate: u64,
    /// When the next bytes may go, in nanoseconds since any one moment.
    next: u64,
}

impl Pace {
    /// So many bytes a second.
    pub fn new(rate: u64) -> Self {
        let rate = rate.max(1);
        Self { rate, next: 0 }
    }

    /// How many bytes may go at once.
    pub fn step(&self) -> usize {
        let step = u64::try_from(STEP.as_nanos()).unwrap_or(SECOND);
        let bytes = self.rate.saturating_mul(step) / SECOND;
        usize::try_from(bytes.clamp(1, STEP_BYTES_MAX)).unwrap_or(1)
    }

    /// How long to wait before the next bytes.
    pub fn wait(&self, now: u64) -> Duration {
        Duration::from_nanos(self.next.saturating_sub(now))
    }

    /// So many bytes have gone. What a late wake cost is caught up, a pause isn't.
    pub fn took(&mut self, bytes: usize, now: u64) {
        let step = u64::try_from(STEP.as_nanos()).unwrap_or(SECOND);
        let earliest = self.next.max(now.saturating_sub(step));
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let cost = u128::from(bytes) * u128::from(SECOND) / u128::from(self.rate);
        self.next = earliest.saturating_add(u64::try_from(cost).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;

    fn compile(wire: serde_json::Value) -> (Option<TcpFault>, Vec<String>) {
        let mut problems = Problems::new(Kind::Listener, "l");
        let wire: listener::TcpFault = serde_json::from_value(wire).expect("a fault");
        let fault = TcpFault::compile(&wire, &mut problems);
        let found = problems.into_vec();
        (fault, found.into_iter().map(|found| found.path).collect())
    }

    #[test]
    fn each_is_drawn_for_itself() {
        let (fault, _) = compile(serde_json::json!({
            "delay": {"fixed_ms": 5, "percentage": 50},
            "reset": {"percentage": 10},
            "bandwidth": {"bytes_per_second": 1000}}));
        let fault = fault.expect("a fault");
        let mut random = 0_u64;
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let injected = fault.decide(|| {
                random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                (random ^ (random >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
            });
            counts[0] += u32::from(injected.delay == Some(Duration::from_millis(5)));
            counts[1] += u32::from(injected.reset == Some(Duration::ZERO));
            counts[2] += u32::from(injected.bandwidth == Some(1000));
        }
        assert!(counts[0].abs_diff(5_000) < 100, "{counts:?}");
        assert!(counts[1].abs_diff(1_000) < 100, "{counts:?}");
        assert_eq!(counts[2], 10_000);
    }

    #[test]
    fn what_is_no_fault_is_told() {
        assert_eq!(compile(serde_json::json!({})).1, ["fault"]);
        let wrong = serde_json::json!({"delay": {}, "reset": {"after_ms": 3_600_001},
            "bandwidth": {"bytes_per_second": 0}});
        let paths = [
            "fault.delay.fixed",
            "fault.reset.after",
            "fault.bandwidth.bytes_per_second",
        ];
        assert_eq!(compile(wrong).1, paths);
    }

    #[test]
    fn a_pace_is_kept_although_wakes_are_late() {
        for rate in [1, 300, 10_000, 1 << 20, 1 << 30] {
            let mut pace = Pace::new(rate);
            let (mut now, mut sent) = (SECOND, 0_u64);
            let begun = now;
            while now < begun + 10 * SECOND {
                let wait = u64::try_from(pace.wait(now).as_nanos()).expect("a short wait");
                // A timer of milliseconds wakes up to one late.
                now += wait.div_ceil(1_000_000) * 1_000_000;
                sent += pace.step() as u64;
                pace.took(pace.step(), now);
            }
            let elapsed = u128::from(now - begun);
            let due = u128::from(rate) * elapsed / u128::from(SECOND);
            let slack = due / 20 + 2 * pace.step() as u128;
            assert!(
                due.abs_diff(u128::from(sent)) <= slack,
                "{rate}: {sent} of {due}"
            );
        }
    }
}
