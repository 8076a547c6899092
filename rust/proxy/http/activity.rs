//! What an exchange waits for, and for how long.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::runtime::clock;
use crate::runtime::timer::Movement;

/// The deadlines of one exchange, and what to say when one has passed.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) movement: Movement,
    deadline: Cell<Option<Instant>>,
    idle: Option<Duration>,
    /// The client has seen the head of a response.
    pub(super) started: Cell<bool>,
    /// The request is sent whole.
    pub(super) uploaded: Cell<bool>,
    /// Body bytes taken from the client, however the exchange ends.
    pub(super) received: Cell<u64>,
    /// Body bytes taken from the upstream.
    pub(super) sent: Cell<u64>,
    /// The last wait was for the client's body.
    pub(super) waits_for_client: Cell<bool>,
}

impl Activity {
    /// For a request that is complete at `now` but for its body.
    pub(super) fn new(now: Instant, timeout: Option<Duration>, idle: Option<Duration>) -> Self {
        Self {
            movement: Movement::since(now),
            deadline: Cell::new(timeout.map(|timeout| now + timeout)),
            idle,
            started: Cell::new(false),
            uploaded: Cell::new(false),
            received: Cell::new(0),
            sent: Cell::new(0),
            waits_for_client: Cell::new(false),
        }
    }

    /// What follows may last as long as something moves.
    pub(super) fn lift_deadline(&self) {
        self.deadline.set(None);
    }

    /// What is left until the request has to be answered.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline.get()?;
        Some(deadline.saturating_duration_since(clock::now()))
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let idle = self.idle.map(|idle| self.movement.last() + idle);
        super::earliest(idle, self.deadline.get())
    }

    pub(super) fn elapsed(&self) -> ErrorKind {
        match self.deadline.get() {
            Some(deadline) if clock::now() >= deadline => ErrorKind::RequestTimeout,
            _ if self.waits_for_client.get() => ErrorKind::BodyTimeout,
            _ => ErrorKind::StreamIdle,
        }
    }
}
