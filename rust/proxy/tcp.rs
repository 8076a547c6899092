//! Bytes both ways, each direction ended as its sender ended it.

mod fault;

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::connection::Downstream;
use super::early::Early;
use super::flow::{Body, Flow, FlowError, Ground};
use super::log;
use super::upstream::{self, Ask};
use crate::balance::stable_hash;
use crate::error::{Error, ErrorKind};
use crate::policy::priority::Priority;
use crate::policy::tcp_fault::Injected;
use crate::pool::{Aim, ClusterRun, EndpointRun, Tried};
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;
use crate::runtime::timer::Movement;
use crate::telemetry::Entry;
use crate::tls::io::Io;
use crate::wire::listener::Protocol;

/// What is logged of a connection.
#[derive(Default)]
struct Carried {
    cluster: Option<Rc<ClusterRun>>,
    endpoint: Option<Rc<EndpointRun>>,
    error: Option<ErrorKind>,
    received: u64,
    sent: u64,
    injected: Injected,
}

impl Carried {
    /// Envoy's letters for what went wrong, or was made to.
    fn flags(&self) -> Cow<'static, str> {
        let held = self.injected.delay.is_some() || self.injected.bandwidth.is_some();
        let flag = self.error.map_or("", ErrorKind::flag);
        match (held, flag) {
            (false, flag) => Cow::Borrowed(flag),
            (true, "") => Cow::Borrowed("DI"),
            (true, flag) => Cow::Owned(format!("DI,{flag}")),
        }
    }
}

/// Serves a connection of a `tcp`, `tls_passthrough` or `auto` listener; `early` is its upstream
/// where that has spoken already.
pub async fn serve(conn: &Downstream, first: Option<Buffer>, early: Option<Box<Early>>) {
    let begun = clock::now();
    let mut carried = Carried {
        injected: fault::draw(conn),
        ..Carried::default()
    };
    if let Err(error) = carry(conn, (first, early), &mut carried).await {
        carried.error = Some(error.kind);
        conn.listener.stats.local_replies.record(error.kind);
        // A connect error stays one: the client sees a reset, not a clean end.
        reset(&conn.io);
    }
    let stats = &conn.listener.stats;
    stats.rx_bytes_total.add(carried.received);
    stats.tx_bytes_total.add(carried.sent);
    if let Some(cluster) = &carried.cluster {
        cluster.stats.tx_bytes_total.add(carried.received);
        cluster.stats.rx_bytes_total.add(carried.sent);
    }
    let current = conn.listener.current();
    if let Some(access_log) = &current.listener.access_log {
        let took = clock::micros_between(begun, clock::now());
        let entry = Entry {
            start_micros: clock::wall_micros().saturating_sub(took),
            flags: &carried.flags(),
            code_details: carried.error.map_or("", ErrorKind::code),
            bytes_received: carried.received,
            bytes_sent: carried.sent,
            duration_us: took,
            upstream_host: carried
                .endpoint
                .as_ref()
                .map_or("", |run| &run.endpoint.text),
            upstream_cluster: carried.cluster.as_ref().map_or("", |run| &run.cluster.name),
            ..Entry::default()
        };
        log::write(conn, access_log, &entry);
    }
}

/// Finds an upstream and copies both ways.
async fn carry(
    conn: &Downstream,
    (first, early): (Option<Buffer>, Option<Box<Early>>),
    carried: &mut Carried,
) -> Result<(), Error> {
    let worker = conn.worker();
    if worker.overload.stage().refuses(Priority::Default) {
        worker.stats.shed_connections_total.increment();
        return Err(ErrorKind::Overload.into());
    }
    let injected = carried.injected;
    let cut = fault::wait(&injected).await?;
    let early = match early {
        Some(early) => *early,
        None => find(conn, carried).await?,
    };
    let cluster = &early.cluster;
    cluster.stats.requests_total.increment();
    cluster.connected(&early.flight);
    carried.cluster = Some(Rc::clone(cluster));
    carried.endpoint = Some(Rc::clone(early.flight.run()));
    let upstream = &early.upstream.io;
    (carried.received, carried.sent) = match injected.bandwidth {
        None => relay_until(conn, upstream, (first, None), cut).await,
        Some(rate) => fault::relay(conn, upstream, first, (rate, cut)).await,
    };
    fault::was_cut(cut)
}

async fn find(conn: &Downstream, carried: &mut Carried) -> Result<Early, Error> {
    let cluster = route(conn).ok_or(ErrorKind::NoRoute)?;
    carried.cluster = Some(Rc::clone(&cluster));
    let needs_local = cluster.cluster.wire.proxy_protocol.is_some();
    let local = needs_local.then(|| conn.io.socket().local_addr()).flatten();
    let ask = Ask {
        reuse: false,
        client: conn.peer,
        local,
    };
    let mut tried = untried(conn, &cluster);
    let obtained = upstream::obtain(conn.worker(), &cluster, &mut tried, ask).await;
    let (flight, upstream) = obtained.inspect_err(|_| cluster.stats.requests_total.increment())?;
    Ok(Early {
        cluster,
        flight,
        upstream,
    })
}

/// The cluster that the connection goes to, by SNI where it has one to go by.
pub fn route(conn: &Downstream) -> Option<Rc<ClusterRun>> {
    let current = conn.listener.current();
    let protocol = current.listener.wire.protocol;
    if protocol == Protocol::TlsPassthrough && conn.sni.is_none() {
        return None;
    }
    let sni = conn.sni.as_deref().filter(|_| protocol != Protocol::Tcp);
    let split = current.listener.sni.as_ref()?.find(sni)?;
    let share = conn
        .worker()
        .with_random(|random| split.pick(random.next_u64()))?;
    let view = conn.view();
    conn.worker().cluster(&view, share.cluster).map(Rc::clone)
}

/// No endpoint tried yet; where the cluster goes by keys, the client's address is the key.
pub fn untried(conn: &Downstream, cluster: &ClusterRun) -> Tried {
    let keyed = cluster.goes_by_keys() && conn.peer.is_some();
    Tried::aiming(keyed.then(|| {
        let hash = Some(stable_hash(conn.peer_ip().as_bytes()));
        Rc::new(Aim {
            hash,
            ..Aim::default()
        })
    }))
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
    relay_until(conn, upstream, (from_client, from_upstream), None).await
}

/// The same until `cut` at the latest.
async fn relay_until(
    conn: &Downstream,
    upstream: &Io,
    (from_client, from_upstream): (Option<Buffer>, Option<Buffer>),
    cut: Option<Instant>,
) -> (u64, u64) {
    let idle = conn.listener.current().listener.stream_idle_timeout;
    let movement = Movement::since(clock::now());
    let ground = Ground {
        buffers: &conn.worker().buffers,
        movement: &movement,
        rests: None,
    };
    let mut up = Half::new(from_client);
    let mut down = Half::new(from_upstream);
    let both = poll_fn(|cx| {
        let copied = up.poll_copy(cx, &ground, (&conn.io, upstream))?
            & down.poll_copy(cx, &ground, (upstream, &conn.io))?;
        let first = up.poll_end(cx, upstream, copied);
        let second = down.poll_end(cx, &conn.io, copied);
        ready!(first)?;
        second
    });
    let deadline = || {
        let idle = idle.map(|idle| movement.last() + idle);
        idle.into_iter().chain(cut).min()
    };
    let ended: Result<io::Result<()>, _> = conn.timer.watch(deadline, pin!(both)).await;
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

    /// Whether all is copied.
    fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        (from, to): (&Io, &Io),
    ) -> io::Result<bool> {
        if !self.copied
            && let Poll::Ready(copied) = self.flow.poll(cx, ground, from, to)
        {
            copied.map_err(|error| match error {
                FlowError::From(error) | FlowError::To(error) => error,
                FlowError::Framing | FlowError::TooLarge => io::ErrorKind::InvalidData.into(),
            })?;
            self.copied = true;
        }
        Ok(self.copied)
    }

    /// Passes the end on. A socket that closes next says it by that, for one call less.
    fn poll_end(&mut self, cx: &mut Context<'_>, to: &Io, closing: bool) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        if !self.copied {
            return Poll::Pending;
        }
        if !closing || to.plain().is_none() {
            ready!(to.poll_shutdown(cx))?;
        }
        self.ended = true;
        Poll::Ready(Ok(()))
    }
}
