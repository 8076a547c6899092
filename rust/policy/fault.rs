//! Which requests are delayed or refused on purpose, for how long and with what.

use std::time::Duration;

use crate::wire::Problems;
use crate::wire::route::{self, Percentage};

/// A request that waits longer than this tries nobody's patience but the operator's.
pub(super) const DELAY_MAX: Duration = Duration::from_hours(1);

/// How many times its mean a delay may be: one of 22,000 is cut to it. A random wait has a bound too.
const MEANS_MAX: f64 = 10.0;

/// What is done to a route's requests.
#[derive(Debug)]
pub struct Fault {
    delay: Option<(Wait, Chance)>,
    abort: Option<(Abort, Chance)>,
}

/// What is done to one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected {
    /// It waits.
    pub delay: Option<Duration>,
    /// It is refused, after the wait.
    pub abort: Option<Abort>,
}

/// What a request is refused with: both are known, each client reads its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort {
    /// Without gRPC.
    pub status: u16,
    /// With gRPC; `None`: what stands for the status.
    pub grpc: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    Fixed(Duration),
    /// With this mean.
    Exponential(Duration),
}

/// Millionths of all requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance(u32);

/// Statuses of gRPC that aren't OK: name, number, and what stands for it without gRPC (as the
/// definitions of google.rpc.Code have it).
const GRPC_STATUSES: [(&str, u8, u16); 16] = [
    ("CANCELLED", 1, 499),
    ("UNKNOWN", 2, 500),
    ("INVALID_ARGUMENT", 3, 400),
    ("DEADLINE_EXCEEDED", 4, 504),
    ("NOT_FOUND", 5, 404),
    ("ALREADY_EXISTS", 6, 409),
    ("PERMISSION_DENIED", 7, 403),
    ("RESOURCE_EXHAUSTED", 8, 429),
    ("FAILED_PRECONDITION", 9, 400),
    ("ABORTED", 10, 409),
    ("OUT_OF_RANGE", 11, 400),
    ("UNIMPLEMENTED", 12, 501),
    ("INTERNAL", 13, 500),
    ("UNAVAILABLE", 14, 503),
    ("DATA_LOSS", 15, 500),
    ("UNAUTHENTICATED", 16, 401),
];

impl Fault {
    /// Compiles what stands at `at`; `None` when it noted a problem.
    pub fn compile(wire: &route::Fault, at: &str, problems: &mut Problems) -> Option<Self> {
        if wire.delay.is_none() && wire.abort.is_none() {
            let message = "a fault delays or aborts";
            problems.add("fault_empty", at, message, "write delay, abort or both");
            return None;
        }
        let delay = match &wire.delay {
            Some(delay) => {
                let wait = Wait::compile(delay, &format!("{at}.delay"), problems);
                wait.map(|wait| Some((wait, Chance::of(delay.percentage))))
            }
            None => Some(None),
        };
        let abort = match &wire.abort {
            Some(abort) => {
                let compiled = Abort::compile(abort, &format!("{at}.abort"), problems);
                compiled.map(|compiled| Some((compiled, Chance::of(abort.percentage))))
            }
            None => Some(None),
        };
        Some(Self {
            delay: delay?,
            abort: abort?,
        })
    }

    /// What is done to a request; `random` draws uniformly from all of `u64`. Each of the two is
    /// drawn for itself, so 50 % of both is all of both for a quarter.
    pub fn decide(&self, mut random: impl FnMut() -> u64) -> Injected {
        let mut injected = Injected::default();
        if let Some((wait, chance)) = self.delay
            && chance.falls_on(random())
        {
            injected.delay = Some(wait.draw(&mut random));
        }
        if let Some((abort, chance)) = self.abort
            && chance.falls_on(random())
        {
            injected.abort = Some(abort);
        }
        injected
    }
}

impl Wait {
    fn compile(wire: &route::Delay, at: &str, problems: &mut Problems) -> Option<Self> {
        let (key, ms) = match (wire.fixed_ms, wire.exponential_ms) {
            (Some(ms), None) => ("fixed", ms),
            (None, Some(ms)) => ("exponential", ms),
            _ => {
                let message = "a delay is fixed or exponential";
                let hint = "keep one of fixed, exponential";
                problems.add("delay_ambiguous", at, message, hint);
                return None;
            }
        };
        let time = Duration::from_millis(ms);
        if time.is_zero() || time > DELAY_MAX {
            let message = format!("{ms} ms are no delay that a request can have");
            let hint = "write a duration above 0s and up to 1h";
            problems.add("delay_invalid", format!("{at}.{key}"), message, hint);
            return None;
        }
        Some(match key {
            "fixed" => Self::Fixed(time),
            _ => Self::Exponential(time),
        })
    }

    fn draw(self, random: &mut impl FnMut() -> u64) -> Duration {
        match self {
            Self::Fixed(time) => time,
            Self::Exponential(mean) => mean.mul_f64((-above_zero(random()).ln()).min(MEANS_MAX)),
        }
    }
}

/// Uniform above 0 and up to 1.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits, of which a float loses none"
)]
fn above_zero(random: u64) -> f64 {
    const STEPS: u64 = 1 << 53;
    ((random >> 11) + 1) as f64 / STEPS as f64
}

impl Abort {
    fn compile(wire: &route::Abort, at: &str, problems: &mut Problems) -> Option<Self> {
        match (wire.status, wire.grpc_status.as_deref()) {
            (Some(status @ 200..=599), None) => Some(Self { status, grpc: None }),
            (Some(status), None) => {
                let message = format!("{status} is no status of an answer");
                let at = format!("{at}.status");
                problems.add("status_invalid", at, message, "write 200 to 599");
                None
            }
            (None, Some(name)) => {
                let known = GRPC_STATUSES.iter().find(|(known, ..)| *known == name);
                let Some(&(_, code, status)) = known else {
                    let message = format!("`{name}` is no status of a failed gRPC call");
                    let hint = "write for example UNAVAILABLE";
                    let at = format!("{at}.grpc_status");
                    problems.add("grpc_status_invalid", at, message, hint);
                    return None;
                };
                let grpc = Some(code);
                Some(Self { status, grpc })
            }
            (Some(_), Some(_)) | (None, None) => {
                let message = "an abort has a status of HTTP or of gRPC";
                let hint = "keep one of status, grpc_status";
                problems.add("abort_ambiguous", at, message, hint);
                None
            }
        }
    }
}

impl Chance {
    pub(super) const fn of(share: Percentage) -> Self {
        Self(share.millionths())
    }

    pub(super) const fn falls_on(self, random: u64) -> bool {
        // Multiply and shift instead of a remainder; the bias is below a millionth of a millionth.
        let point = (random as u128 * Percentage::WHOLE as u128) >> 64;
        point < self.0 as u128
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
