//! What an exchange waits for, and for how long.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::earliest;
use super::record::Record;
use super::stall::Stall;
use crate::error::ErrorKind;
use crate::proxy::listener::Current;
use crate::runtime::clock;
use crate::runtime::timer::Movement;

/// The deadlines of one exchange, and what to say when one has passed.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) movement: Movement,
    /// Has the listener's limits.
    current: Rc<Current>,
    deadline: Cell<Option<Instant>>,
    head: Cell<Head>,
    /// What `head` begins with.
    head_limit: Option<Duration>,
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

/// The wait for the head of an answer.
#[derive(Debug, Clone, Copy)]
enum Head {
    /// It may take any time, or is there.
    Free,
    /// It may take so long, once the request is sent.
    Within(Duration),
    /// It has to be there.
    Due(Instant),
}

impl Activity {
    /// For a request that is complete at `now` but for its body, and may take so long.
    pub(super) fn new(now: Instant, timeout: Option<Duration>, record: &Record) -> Self {
        let head = record.response_header_timeout();
        Self {
            movement: Movement::since(now),
            current: Rc::clone(&record.current),
            deadline: Cell::new(timeout.map(|timeout| now + timeout)),
            head: Cell::new(head.map_or(Head::Free, Head::Within)),
            head_limit: head,
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

    /// Another attempt follows, of which nothing is sent yet.
    pub(super) fn begin_again(&self) {
        self.uploaded.set(false);
        self.asked.set(false);
        self.upward.over();
        self.head
            .set(self.head_limit.map_or(Head::Free, Head::Within));
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
        let idle = self.current.listener.stream_idle_timeout;
        let idle = idle.map(|idle| self.movement.last() + idle);
        let whole = earliest(idle, self.deadline.get());
        let stalled = earliest(self.client_stalls(), self.upstream_stalls());
        earliest(earliest(whole, self.head_due()), stalled)
    }

    /// When the answer's head has to be there.
    fn head_due(&self) -> Option<Instant> {
        let asked = self.uploaded.get() || self.asked.get();
        let next = match self.head.get() {
            Head::Free => return None,
            _ if self.started.get() => Head::Free,
            // The clock is read once, in the turn that ends with the request sent.
            Head::Within(limit) if asked => Head::Due(clock::now() + limit),
            as_it_was => as_it_was,
        };
        self.head.set(next);
        match next {
            Head::Due(due) => Some(due),
            Head::Free | Head::Within(_) => None,
        }
    }

    fn client_stalls(&self) -> Option<Instant> {
        self.downward.due(self.stall())
    }

    fn upstream_stalls(&self) -> Option<Instant> {
        self.upward.due(self.stall())
    }

    fn stall(&self) -> Option<Duration> {
        self.current.listener.window_stall_timeout
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
