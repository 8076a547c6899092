//! Bytes both ways, each direction ended as its sender ended it.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::connection::Downstream;
use super::flow::{Body, Flow, FlowError, Ground};
use super::upstream::{self, Ask};
use crate::pool::Tried;
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;
use crate::runtime::timer::Movement;
use crate::tls::io::Io;
use crate::wire::listener::Protocol;

/// Serves a connection of a `tcp`, `tls_passthrough` or `auto` listener.
pub async fn serve(conn: &Downstream, first: Option<Buffer>) {
    let worker = conn.worker();
    let current = conn.listener.current();
    let listener = &current.listener;
    let routable = listener.wire.protocol != Protocol::TlsPassthrough || conn.sni.is_some();
    let split = listener
        .sni
        .as_ref()
        .filter(|_| routable)
        .and_then(|table| {
            table.find(
                conn.sni
                    .as_deref()
                    .filter(|_| listener.wire.protocol != Protocol::Tcp),
            )
        });
    let Some(split) = split else {
        reset(&conn.io);
        return;
    };
    let view = conn.view();
    let slot = worker.with_random(|random| split.pick(random.next_u64()));
    let Some(cluster) = worker.cluster(&view, slot).map(Rc::clone) else {
        reset(&conn.io);
        return;
    };
    cluster.stats.requests_total.increment();
    let needs_local = cluster.cluster.wire.proxy_protocol.is_some();
    let local = needs_local.then(|| conn.io.socket().local_addr()).flatten();
    let ask = Ask {
        reuse: false,
        client: conn.peer,
        local,
    };
    let obtained = upstream::obtain(worker, &cluster, &mut Tried::default(), ask).await;
    let Ok((_flight, upstream)) = obtained else {
        // A connect error stays one: the client sees a reset, not a clean end.
        reset(&conn.io);
        return;
    };
    drop((view, current));
    let (tx, rx) = relay(conn, &upstream.io, first, None).await;
    cluster.stats.tx_bytes_total.add(tx);
    cluster.stats.rx_bytes_total.add(rx);
    conn.listener.stats.rx_bytes_total.add(tx);
    conn.listener.stats.tx_bytes_total.add(rx);
}

fn reset(io: &Io) {
    io.socket().reset_on_close();
}

/// Copies both ways until both have ended, one failed or nothing moved for the idle time.
/// Gives the bytes sent upstream and downstream.
pub async fn relay(
    conn: &Downstream,
    upstream: &Io,
    from_client: Option<Buffer>,
    from_upstream: Option<Buffer>,
) -> (u64, u64) {
    let idle = conn.listener.current().listener.stream_idle_timeout;
    let movement = Movement::since(clock::now());
    let ground = Ground {
        buffers: &conn.worker().buffers,
        movement: &movement,
    };
    let mut up = Half::new(from_client);
    let mut down = Half::new(from_upstream);
    let both = poll_fn(|cx| {
        let first = up.poll(cx, &ground, &conn.io, upstream)?;
        let second = down.poll(cx, &ground, upstream, &conn.io)?;
        if first.is_ready() && second.is_ready() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    });
    let deadline = || idle.map(|idle| movement.last() + idle);
    let ended: Result<io::Result<()>, _> = conn.timer.watch(deadline, both).await;
    if !matches!(ended, Ok(Ok(()))) {
        reset(&conn.io);
        reset(upstream);
    }
    (up.flow.received(), down.flow.received())
}

/// One direction with its end.
struct Half {
    flow: Flow,
    copied: bool,
    ended: bool,
}

impl Half {
    fn new(first: Option<Buffer>) -> Self {
        Self {
            flow: Flow::new(Vec::new(), Body::UntilEnd, first),
            copied: false,
            ended: false,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        from: &Io,
        to: &Io,
    ) -> io::Result<Poll<()>> {
        if self.ended {
            return Ok(Poll::Ready(()));
        }
        let mut step = || -> Poll<io::Result<()>> {
            if !self.copied {
                ready!(self.flow.poll(cx, ground, from, to)).map_err(|error| match error {
                    FlowError::From(error) | FlowError::To(error) => error,
                    FlowError::Framing | FlowError::TooLarge => io::ErrorKind::InvalidData.into(),
                })?;
                self.copied = true;
            }
            to.poll_shutdown(cx)
        };
        match step() {
            Poll::Ready(result) => {
                self.ended = true;
                result.map(Poll::Ready)
            }
            Poll::Pending => Ok(Poll::Pending),
        }
    }
}
