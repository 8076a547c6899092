//! When the next request goes out, and the only place that reads the clock.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "the generator measures time; this is its one clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How many requests may still start, and until when.
pub(crate) struct Budget {
    pub(crate) left: Cell<u64>,
    pub(crate) start: Instant,
    pub(crate) end: Instant,
}

impl Budget {
    /// Takes one request out; false when all are out.
    pub(crate) fn take(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// Puts one back that was not sent.
    pub(crate) fn put_back(&self) {
        self.left.set(self.left.get().saturating_add(1));
    }
}

/// A connection's share of an open loop: fixed instants, whatever the answers do.
pub(crate) struct Schedule {
    timer: AsyncFd<OwnedFd>,
    next: Instant,
    step: Duration,
}

impl Schedule {
    /// The instants of connection `index` of `connections`, so that all together keep the rate.
    pub(crate) fn new(
        rate: f64,
        index: usize,
        connections: usize,
        start: Instant,
    ) -> io::Result<Self> {
        let each = Duration::from_secs_f64(1.0 / rate);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        Ok(Self {
            timer: watched(timer)?,
            next: start + each * count(index),
            step: each * count(connections),
        })
    }

    /// The intended instant of the next request, as soon as it has come.
    ///
    /// tokio's own timers count milliseconds; a timer file counts nanoseconds.
    pub(crate) async fn wait(&mut self) -> io::Result<Instant> {
        let intended = self.next;
        self.next += self.step;
        let wait = intended.saturating_duration_since(now());
        if wait.is_zero() {
            return Ok(intended);
        }
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let once = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match ready.try_io(|timer| Ok(rustix::io::read(timer, &mut expirations)?)) {
                Ok(result) => return result.map(|_| intended),
                Err(_) => ready.clear_ready(),
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "the deprecation is about types that change their descriptor; an OwnedFd can't"
)]
fn watched(timer: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(timer)
}

/// A time-out that is armed once and moved only when it fires early.
///
/// A timer set and dropped for each request would be a tenth of the generator's own work.
pub(crate) struct Watchdog {
    sleep: Pin<Box<tokio::time::Sleep>>,
    limit: Duration,
}

impl Watchdog {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(limit)),
            limit,
        }
    }

    /// The future's output, or nothing if it takes longer than the limit.
    pub(crate) async fn guard<F: Future>(
        &mut self,
        begun: Instant,
        future: F,
    ) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        let deadline = begun + self.limit;
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll_late(deadline, context).map(|()| None),
        })
        .await
    }

    fn poll_late(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(context).is_ready() {
            if now() >= deadline {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }
}
