//! A connection of HTTP/2 clients as its task and its streams' tasks share it.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::pool::http2::{Outbox, Transport, Watch};
use crate::proxy::connection::Downstream;
use crate::proxy::http::{earliest, pressed};
use crate::runtime::clock;
use crate::runtime::timer::Timer;
use crate::tls::io::Io;

/// Timers kept for the next streams.
const TIMERS_KEPT: usize = 16;

/// A connection as its streams see it.
pub(super) struct Shared {
    pub(super) conn: Rc<Downstream>,
    pub(super) watch: Watch,
    outbox: Outbox<Lent>,
    pub(super) streams: Cell<u32>,
    pub(super) idle_since: Cell<Instant>,
    /// When the client has to have acknowledged our SETTINGS (HA-8).
    settles_by: Option<Instant>,
    /// Timers of streams that have ended: armed for some later time, they cost the next less than
    /// new ones.
    timers: RefCell<Vec<Timer>>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
}

/// Lends the connection's bytes to the h2 crate.
pub(super) struct Lent(pub(super) Rc<Downstream>);

impl Deref for Lent {
    type Target = Io;

    fn deref(&self) -> &Io {
        &self.0.io
    }
}

impl Shared {
    pub(super) fn new(
        conn: Rc<Downstream>,
        transport: &Transport<Lent>,
        settles_by: Option<Instant>,
    ) -> Self {
        Self {
            conn,
            watch: transport.watch(),
            outbox: transport.outbox(),
            streams: Cell::new(0),
            idle_since: Cell::new(clock::now()),
            settles_by,
            timers: RefCell::default(),
            waker: RefCell::new(None),
        }
    }

    /// Polls h2, and sends what it wrote when it has nothing more to do.
    pub(super) fn settled<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let polled = poll(cx);
        if polled.is_pending() {
            // That it can't be sent shows again where h2 reads.
            let _ = self.outbox.poll_settle(cx);
        }
        polled
    }

    pub(super) fn take_timer(&self) -> Timer {
        self.timers.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn give_timer(&self, timer: Timer) {
        let mut timers = self.timers.borrow_mut();
        if timers.len() < TIMERS_KEPT {
            timers.push(timer);
        }
    }

    pub(super) fn note_waker(&self, cx: &Context<'_>) {
        self.conn.open.note_waker(cx);
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|known| known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
    }

    /// Ready when the client should have acknowledged our SETTINGS and didn't (RFC 9113 §6.5.3).
    pub(super) fn poll_unsettled(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.settles_by {
            Some(by) if !self.watch.is_settled() => self.conn.timer.poll_expired(cx, by),
            _ => Poll::Pending,
        }
    }

    /// When a connection should end of itself: unused for too long, or too old.
    pub(super) fn end_of_waiting(&self) -> Option<Instant> {
        let current = self.conn.listener.current();
        let listener = &current.listener;
        let since = self.idle_since.get();
        let idle = listener.idle_timeout.map(|idle| since + idle);
        let idle = earliest(idle, pressed(&self.conn, since));
        earliest(idle.filter(|_| self.streams.get() == 0), self.conn.old_at)
    }
}

/// A stream at work; dropping it counts it out, and a drop by a panic counts that.
pub(super) struct OpenStream(pub(super) Rc<Shared>);

impl OpenStream {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        shared.streams.set(shared.streams.get() + 1);
        Self(Rc::clone(shared))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let shared = &self.0;
        if std::thread::panicking() {
            shared.conn.worker().stats.panics_total.increment();
        }
        let left = shared.streams.get().saturating_sub(1);
        shared.streams.set(left);
        if left == 0 {
            shared.idle_since.set(clock::now());
            // Its wait for the next stream begins.
            if let Some(waker) = &*shared.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }
}
