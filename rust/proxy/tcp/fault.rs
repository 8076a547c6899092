//! Connections that are delayed, reset or slowed on purpose.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Instant;

use super::{Downstream, reset};
use crate::error::{Error, ErrorKind};
use crate::policy::tcp_fault::{Injected, Pace};
use crate::pool::write_all;
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;
use crate::runtime::timer::Movement;
use crate::telemetry::TcpFaultKind;
use crate::tls::io::Io;

/// What the listener does to this connection; counted at once, since it will be done.
pub(super) fn draw(conn: &Downstream) -> Injected {
    let current = conn.listener.current();
    let Some(fault) = &current.listener.fault else {
        return Injected::default();
    };
    let injected = conn
        .worker()
        .with_random(|random| fault.decide(|| random.next_u64()));
    let faults = &conn.listener.stats.faults_total;
    if injected.delay.is_some() {
        faults.record(TcpFaultKind::Delay);
    }
    if injected.reset.is_some() {
        faults.record(TcpFaultKind::Reset);
    }
    if injected.bandwidth.is_some() {
        faults.record(TcpFaultKind::Bandwidth);
    }
    injected
}

/// Waits as long as the connection's delay wants; gives the time at which it is to be reset.
pub(super) async fn wait(injected: &Injected) -> Result<Option<Instant>, Error> {
    let Injected { delay, reset, .. } = *injected;
    let cut = reset.and_then(|after| clock::now().checked_add(after));
    let wait = match (delay, reset) {
        (Some(delay), Some(reset)) => Some(delay.min(reset)),
        (delay, None) => delay,
        (None, Some(_)) => None,
    };
    if let Some(wait) = wait {
        tokio::time::sleep(wait).await;
    }
    was_cut(cut).map(|()| cut)
}

/// An error once that time has come.
pub(super) fn was_cut(cut: Option<Instant>) -> Result<(), Error> {
    match cut {
        Some(cut) if clock::now() >= cut => Err(ErrorKind::FaultInjected.into()),
        Some(_) | None => Ok(()),
    }
}

/// Copies both ways at a pace, until `cut` at the latest. Gives the bytes sent upstream and
/// downstream.
pub(super) async fn relay(
    conn: &Downstream,
    upstream: &Io,
    first: Option<Buffer>,
    (rate, cut): (u64, Option<Instant>),
) -> (u64, u64) {
    let idle = conn.listener.current().listener.stream_idle_timeout;
    let movement = Movement::since(clock::now());
    let (up, down) = (Line::new(rate), Line::new(rate));
    let both = async {
        let first = first.as_deref().unwrap_or_default();
        tokio::try_join!(
            up.copy((&conn.io, upstream), first, &movement),
            down.copy((upstream, &conn.io), &[], &movement)
        )
    };
    let deadline = || {
        let idle = idle.map(|idle| movement.last() + idle);
        idle.into_iter().chain(cut).min()
    };
    let ended = conn.timer.watch(deadline, pin!(both)).await;
    if !matches!(ended, Ok(Ok(_))) {
        reset(&conn.io);
        reset(upstream);
    }
    (up.moved.get(), down.moved.get())
}

/// One direction.
struct Line {
    pace: RefCell<Pace>,
    moved: Cell<u64>,
}

impl Line {
    fn new(rate: u64) -> Self {
        Self {
            pace: RefCell::new(Pace::new(rate)),
            moved: Cell::new(0),
        }
    }

    async fn copy(
        &self,
        (from, to): (&Io, &Io),
        first: &[u8],
        movement: &Movement,
    ) -> io::Result<()> {
        let step = self.pace.borrow().step();
        for piece in first.chunks(step) {
            self.send(to, piece, movement).await?;
        }
        // Its own, since no lent one may be held for as long as a slow line waits.
        let mut buffer = vec![0; step];
        loop {
            let read = poll_fn(|cx| from.poll_read(cx, &mut buffer)).await?;
            if read == 0 {
                return poll_fn(|cx| to.poll_shutdown(cx)).await;
            }
            let piece = buffer.get(..read).unwrap_or_default();
            self.send(to, piece, movement).await?;
        }
    }

    /// Sends what fits one step, when its time has come.
    async fn send(&self, to: &Io, piece: &[u8], movement: &Movement) -> io::Result<()> {
        let wait = self.pace.borrow().wait(clock::nanos(clock::now()));
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        write_all(to, piece).await?;
        movement.mark();
        let now = clock::nanos(clock::now());
        self.pace.borrow_mut().took(piece.len(), now);
        self.moved.set(self.moved.get() + piece.len() as u64);
        Ok(())
    }
}
