//! Which failures of an attempt call for another one, and how long to wait before it.
//!
//! After Envoy's `retry_on`, with one difference: what may have reached the application is repeated
//! only if repeating does no harm, or the route says that it does none.

use std::time::Duration;

use crate::wire::route::{BackOff, Retries, RetryOn};

/// Waits double up to this exponent; further ones are above any bound that a document can set.
const DOUBLINGS_MAX: u32 = 20;

/// The longest wait, in units of the first, where the document says nothing (as Envoy).
const MAX_OF_BASE: u32 = 10;

/// What `retriable-4xx` stands for: the state may have changed since.
const CONFLICT: u16 = 409;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answered(Answered),
    /// There was no connection.
    Unconnected,
    /// Its connection or stream ended before an answer, or with something that is none.
    Reset,
    /// No answer came in the time of one try.
    TimedOut,
}

/// What is looked at of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// A gRPC answer that consists of its trailers alone has it in its head.
    pub grpc_status: Option<u32>,
    /// `x-envoy-ratelimited` is there: it was refused for being one too many.
    pub rate_limited: bool,
    /// It has one of the fields that the route wants to see repeated.
    pub marked: bool,
}

/// What is known of a request when an attempt has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Provably nothing of it has reached an application.
    pub unseen: bool,
    /// Doing it twice is as good as doing it once.
    pub repeatable: bool,
}

/// What a route repeats.
#[derive(Debug)]
pub struct RetryPolicy {
    on: Conditions,
    statuses: Box<[u16]>,
    non_idempotent: bool,
    base: Duration,
    max: Duration,
}

/// A set of conditions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Conditions(u32);

impl Conditions {
    fn of(names: &[RetryOn]) -> Self {
        Self(names.iter().fold(0, |set, name| set | 1 << *name as u32))
    }

    const fn has(self, name: RetryOn) -> bool {
        self.0 & (1 << name as u32) != 0
    }

    fn has_any(self, names: &[RetryOn]) -> bool {
        names.iter().any(|name| self.has(*name))
    }
}

impl RetryPolicy {
    /// What the document says.
    pub fn new(wire: &Retries) -> Self {
        let BackOff { base_ms, max_ms } = wire.back_off;
        let base = Duration::from_millis(base_ms);
        Self {
            on: Conditions::of(&wire.retry_on),
            statuses: wire.retriable_status_codes.as_slice().into(),
            non_idempotent: wire.non_idempotent,
            base,
            max: max_ms.map_or(base * MAX_OF_BASE, Duration::from_millis),
        }
    }

    /// Whether the route wants another attempt after this one.
    pub fn wants(&self, outcome: Outcome, seen: Seen) -> bool {
        let names = match outcome {
            Outcome::Answered(answered) => return self.wants_other(answered, seen),
            Outcome::Unconnected => self.on.has_any(&[
                RetryOn::ConnectFailure,
                RetryOn::Reset,
                RetryOn::ServerError,
                RetryOn::GatewayError,
            ]),
            Outcome::Reset if seen.unseen => self.on.has_any(&[
                RetryOn::RefusedStream,
                RetryOn::ResetBeforeRequest,
                RetryOn::Reset,
                RetryOn::ServerError,
                RetryOn::GatewayError,
            ]),
            Outcome::Reset | Outcome::TimedOut => {
                self.on
                    .has_any(&[RetryOn::Reset, RetryOn::ServerError, RetryOn::GatewayError])
            }
        };
        names && (seen.unseen || self.may_repeat(seen))
    }

    fn wants_other(&self, answered: Answered, seen: Seen) -> bool {
        // A server of gRPC that fails a call says whether trying it again makes sense; naming its
        // word is the route's consent.
        if answered.grpc_status.is_some_and(|it| self.names_grpc(it)) {
            return true;
        }
        if answered.rate_limited {
            return self.on.has(RetryOn::EnvoyRateLimited) && self.may_repeat(seen);
        }
        let status = answered.status;
        let wanted = self.on.has(RetryOn::ServerError) && (500..600).contains(&status)
            || self.on.has(RetryOn::GatewayError) && (502..=504).contains(&status)
            || self.on.has(RetryOn::Retriable4xx) && status == CONFLICT
            || self.on.has(RetryOn::RetriableStatusCodes) && self.statuses.contains(&status)
            || self.on.has(RetryOn::RetriableHeaders) && answered.marked;
        wanted && self.may_repeat(seen)
    }

    fn names_grpc(&self, status: u32) -> bool {
        match status {
            1 => self.on.has(RetryOn::Cancelled),
            4 => self.on.has(RetryOn::DeadlineExceeded),
            8 => self.on.has(RetryOn::ResourceExhausted),
            13 => self.on.has(RetryOn::Internal),
            14 => self.on.has(RetryOn::Unavailable),
            _ => false,
        }
    }

    const fn may_repeat(&self, seen: Seen) -> bool {
        seen.repeatable || self.non_idempotent
    }

    /// How long to wait before the retry that has this number, from 1: anything up to a bound that
    /// grows with it, so that callers who failed together don't come back together.
    pub fn wait(&self, retry: u32, random: u64) -> Duration {
        let doublings = retry.min(DOUBLINGS_MAX);
        let bound = self.base.saturating_mul((1 << doublings) - 1);
        let micros = u64::try_from(bound.min(self.max).as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(random.checked_rem(micros.saturating_add(1)).unwrap_or(0))
    }
}

/// Whether doing it twice is as good as doing it once, by the method alone (RFC 9110 §9.2.2).
pub fn is_idempotent(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
    )
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
