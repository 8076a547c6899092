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
    deadline: Option<Instant>,
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
            deadline: timeout.map(|timeout| now + timeout),
            idle,
            started: Cell::new(false),
            uploaded: Cell::new(false),
            received: Cell::new(0),
            sent: Cell::new(0),
            waits_for_client: Cell::new(false),
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        let idle = self.idle.map(|idle| self.movement.last() + idle);
        super::earliest(idle, self.deadline)
    }

    pub(super) fn elapsed(&self) -> ErrorKind {
        match self.deadline {
            Some(deadline) if clock::now() >= deadline => ErrorKind::RequestTimeout,
            _ if self.waits_for_client.get() => ErrorKind::BodyTimeout,
            _ => ErrorKind::StreamIdle,
        }
    }
}
