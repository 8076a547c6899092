//! What an exchange waits for, and for how long.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::admit::Plan;
use super::earliest;
use super::stall::Stall;
use crate::error::ErrorKind;
use crate::runtime::clock;
use crate::runtime::timer::Movement;
use crate::snapshot::Listener;

/// The deadlines of one exchange, and what to say when one has passed.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) movement: Movement,
    limits: Limits,
    deadline: Cell<Option<Instant>>,
    /// When the wait for the answer's head began.
    asked_at: Cell<Option<Instant>>,
    /// The client has seen the head of a response.
    pub(super) started: Cell<bool>,
    /// The request is sent whole.
    pub(super) uploaded: Cell<bool>,
    /// What is to be sent before an answer is.
    pub(super) asked: Cell<bool>,
    /// Body bytes taken from the client, however the exchange ends.
    pub(super) received: Cell<u64>,
    /// Body bytes taken from the upstream.
    pub(super) sent: Cell<u64>,
    /// The last wait was for the client's body.
    pub(super) waits_for_client: Cell<bool>,
    /// The upstream's window.
    pub(super) upward: Stall,
    /// The client's window.
    pub(super) downward: Stall,
}

/// How long an exchange may wait, and for what.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    request: Option<Duration>,
    response_header: Option<Duration>,
    idle: Option<Duration>,
    stall: Option<Duration>,
}

impl Limits {
    /// What a listener and the route of a request allow.
    pub(super) fn of(listener: &Listener, plan: &Plan) -> Self {
        Self {
            request: plan.timeout,
            response_header: plan.response_header_timeout,
            idle: listener.stream_idle_timeout,
            stall: listener.window_stall_timeout,
        }
    }
}

impl Activity {
    /// For a request that is complete at `now` but for its body.
    pub(super) fn new(now: Instant, limits: Limits) -> Self {
        Self {
            movement: Movement::since(now),
            deadline: Cell::new(limits.request.map(|timeout| now + timeout)),
            limits,
            asked_at: Cell::new(None),
            started: Cell::new(false),
            uploaded: Cell::new(false),
            asked: Cell::new(false),
            received: Cell::new(0),
            sent: Cell::new(0),
            waits_for_client: Cell::new(false),
            upward: Stall::default(),
            downward: Stall::default(),
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
        let idle = self.limits.idle.map(|idle| self.movement.last() + idle);
        let whole = earliest(idle, self.deadline.get());
        let stalled = earliest(self.client_stalls(), self.upstream_stalls());
        earliest(earliest(whole, self.head_due()), stalled)
    }

    /// When the answer's head has to be there.
    fn head_due(&self) -> Option<Instant> {
        let limit = self.limits.response_header?;
        let asked = self.uploaded.get() || self.asked.get();
        if self.started.get() || !asked {
            return None;
        }
        let since = self.asked_at.get().unwrap_or_else(clock::now);
        self.asked_at.set(Some(since));
        Some(since + limit)
    }

    fn client_stalls(&self) -> Option<Instant> {
        self.downward.due(self.limits.stall)
    }

    fn upstream_stalls(&self) -> Option<Instant> {
        self.upward.due(self.limits.stall)
    }

    pub(super) fn elapsed(&self) -> ErrorKind {
        let now = clock::now();
        let passed = |due: Option<Instant>| due.is_some_and(|due| now >= due);
        if passed(self.deadline.get()) {
            ErrorKind::RequestTimeout
        } else if passed(self.head_due()) {
            ErrorKind::ResponseHeaderTimeout
        } else if passed(self.client_stalls()) {
            // First: an upstream whose answers nobody takes may take no more either.
            ErrorKind::DownstreamStalled
        } else if passed(self.upstream_stalls()) {
            ErrorKind::UpstreamStalled
        } else if self.waits_for_client.get() {
            ErrorKind::BodyTimeout
        } else {
            ErrorKind::StreamIdle
        }
    }
}
