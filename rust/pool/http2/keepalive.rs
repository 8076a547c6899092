//! Asking by PING whether the other side is still there, while streams are open.
//!
//! A machine that vanished sends no end: without a question its streams wait for their idle time.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use h2::{Ping, PingPong};

use crate::runtime::clock;
use crate::runtime::timer::Timer;
use crate::wire;

/// The questions of one connection; none where they are off.
pub struct Keepalive(Option<Box<Asking>>);

struct Asking {
    pings: PingPong,
    interval: Duration,
    timeout: Duration,
    state: State,
    timer: Timer,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// No stream was open.
    Quiet,
    /// The next question comes then.
    Waits(Instant),
    /// It is to be answered until then.
    Asked(Instant),
}

impl Keepalive {
    /// Asks as `bounds` say; `pings` gives what asks.
    pub fn new(bounds: &wire::Http2, pings: impl FnOnce() -> Option<PingPong>) -> Self {
        let asks = bounds.keepalive_interval_ms > 0;
        let asking = asks.then(pings).flatten().map(|pings| Asking {
            pings,
            interval: Duration::from_millis(bounds.keepalive_interval_ms),
            timeout: Duration::from_millis(bounds.keepalive_timeout_ms),
            state: State::Quiet,
            timer: Timer::default(),
        });
        Self(asking.map(Box::new))
    }

    /// Ready when the other side has left a question unanswered; `open` says whether it has
    /// streams. To be asked after each look at the connection, by its task.
    pub fn poll(&mut self, cx: &mut Context<'_>, open: bool) -> Poll<()> {
        match &mut self.0 {
            Some(asking) => asking.poll(cx, open),
            None => Poll::Pending,
        }
    }
}

impl Asking {
    fn poll(&mut self, cx: &mut Context<'_>, open: bool) -> Poll<()> {
        loop {
            self.state = match self.state {
                State::Quiet if open => State::Waits(clock::now() + self.interval),
                State::Quiet => return Poll::Pending,
                State::Waits(until) => {
                    ready!(self.timer.poll_expired(cx, until));
                    self.ask(open)
                }
                State::Asked(until) => match self.pings.poll_pong(cx) {
                    Poll::Ready(Ok(_)) => State::Quiet,
                    // The connection has ended, and says so itself.
                    Poll::Ready(Err(_)) => return Poll::Pending,
                    Poll::Pending => return self.timer.poll_expired(cx, until),
                },
            };
        }
    }

    fn ask(&mut self, open: bool) -> State {
        // Fails on a connection that has ended.
        if open && self.pings.send_ping(Ping::opaque()).is_ok() {
            State::Asked(clock::now() + self.timeout)
        } else {
            State::Quiet
        }
    }
}
