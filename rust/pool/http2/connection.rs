//! One HTTP/2 connection to an endpoint.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use tokio::sync::Notify;

use super::SEND_BUFFER_BYTES;
use super::keepalive::Keepalive;
use super::outbox::Outbox;
use super::transport::Transport;
use super::watch::Watch;
use crate::error::{Error, ErrorKind};
use crate::pool::Age;
use crate::protocol::http2::guard::{Guard, Role};
use crate::runtime::buffers::Buffers;
use crate::runtime::clock;
use crate::snapshot::Lease;
use crate::telemetry::ClusterStats;
use crate::tls::io::Io;
use crate::wire;

/// Bytes of one head from an endpoint, names and values with 32 each (RFC 9113 §6.5.2): as much as
/// an HTTP/1 head may have.
const HEAD_LIST_BYTES: u32 = 64 * 1024;

/// A connection that requests share.
#[derive(Debug)]
pub struct Connection {
    requests: SendRequest<Bytes>,
    carried: Cell<u64>,
    /// How many it had carried at the last sweep.
    swept: Cell<u64>,
    state: Rc<State>,
    watch: Watch,
    age: Age,
    idle_since: Cell<Instant>,
}

/// What a connection and the task that drives it both know.
#[derive(Debug, Default)]
struct State {
    /// Streams that are open.
    active: Cell<u32>,
    /// The task has ended, or the other side takes no more requests.
    ended: Cell<bool>,
    /// The other side's first SETTINGS are known.
    settled: Cell<bool>,
    settles: Notify,
    /// None once the task has ended.
    counted: RefCell<Option<Counted>>,
}

/// What counts a connection, for as long as its socket is open.
#[derive(Debug)]
struct Counted {
    io: Rc<Io>,
    stats: Arc<ClusterStats>,
    lease: Lease,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.stats.connections_active.sub(1);
    }
}

/// Says that the connection has ended, in whatever way its task does.
struct Driven(Rc<State>);

impl Drop for Driven {
    fn drop(&mut self) {
        let state = &self.0;
        state.ended.set(true);
        state.settled.set(true);
        state.settles.notify_waiters();
        drop(state.counted.take());
    }
}

/// Begins HTTP/2 on a connection to an endpoint and spawns the task that drives it.
///
/// # Errors
/// `UpstreamProtocol`: our preface could not be sent.
pub async fn connect(
    io: Io,
    buffers: &Buffers,
    bounds: &wire::Cluster,
    (lease, stats, age): (Lease, &Arc<ClusterStats>, Age),
) -> Result<Connection, Error> {
    let io = Rc::new(io);
    let guard = Guard::new(Role::Client);
    let transport = Transport::new(Rc::clone(&io), buffers.clone(), None, guard);
    let watch = transport.watch();
    let outbox = transport.outbox();
    let http2 = &bounds.http2;
    let streams = usize::try_from(http2.max_concurrent_streams).unwrap_or(usize::MAX);
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(http2.initial_stream_window_size)
        .initial_connection_window_size(http2.initial_connection_window_size)
        .initial_max_send_streams(streams)
        .max_header_list_size(HEAD_LIST_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES);
    let (requests, mut driver) = builder
        .handshake::<_, Bytes>(transport)
        .await
        .map_err(|_| ErrorKind::UpstreamProtocol)?;
    stats.connections_active.add(1);
    let counted = Counted {
        io,
        stats: Arc::clone(stats),
        lease,
    };
    let state = Rc::new(State {
        counted: RefCell::new(Some(counted)),
        ..State::default()
    });
    let driven = Driven(Rc::clone(&state));
    let keepalive = Keepalive::new(http2, || driver.ping_pong());
    tokio::task::spawn_local(drive(driven, driver, (watch.clone(), outbox), keepalive));
    Ok(Connection {
        requests,
        carried: Cell::new(0),
        swept: Cell::new(0),
        state,
        watch,
        age,
        idle_since: Cell::new(clock::now()),
    })
}

/// Moves the connection's bytes until it has ended; the other side's excess or silence ends it alone
/// (HA-9).
/// Dropped last, `driven` counts it out once its socket is closed.
async fn drive(
    driven: Driven,
    mut driver: client::Connection<Transport<Rc<Io>>, Bytes>,
    (watch, outbox): (Watch, Outbox<Rc<Io>>),
    mut keepalive: Keepalive,
) {
    let state = &driven.0;
    poll_fn(|cx| {
        let polled = Pin::new(&mut driver).poll(cx);
        if watch.has_received() && !state.settled.replace(true) {
            state.settles.notify_waiters();
        }
        if watch.excess().is_some() {
            return Poll::Ready(());
        }
        if polled.is_ready() {
            return Poll::Ready(());
        }
        // A failure shows again where h2 reads.
        let _ = outbox.poll_settle(cx);
        keepalive.poll(cx, state.active.get() > 0)
    })
    .await;
}

impl State {
    /// Others may close the connection for its place under a limit.
    fn rest(&self) {
        if let Some(counted) = &*self.counted.borrow() {
            counted.lease.rest(counted.io.socket().shared());
        }
    }

    /// `false` when the connection has ended or lost its place.
    fn resume(&self) -> bool {
        let counted = self.counted.borrow();
        counted
            .as_ref()
            .is_some_and(|counted| counted.lease.resume())
    }
}

impl Connection {
    /// Streams that are open.
    pub fn active(&self) -> u32 {
        self.state.active.get()
    }

    /// Whether new streams may begin on it at all. Its age doesn't matter: an old one serves until
    /// it is replaced.
    pub(super) fn takes_requests(&self, bounds: &wire::Cluster) -> bool {
        let most = bounds.pool.max_requests;
        !self.state.ended.get() && (most == 0 || self.carried.get() < most)
    }

    /// Whether another connection should take its place.
    pub(super) fn is_old(&self, bounds: &wire::Cluster, now: Instant) -> bool {
        self.age.is_over(bounds.pool.max_age_ms, now)
    }

    /// Whether a request has begun on it since this was asked the last time.
    pub(super) fn was_used(&self) -> bool {
        let carried = self.carried.get();
        self.swept.replace(carried) != carried
    }

    /// Counts a stream in; whether the connection carried a request before.
    pub(super) fn begin(&self) -> bool {
        self.state.active.set(self.active() + 1);
        let carried = self.carried.get();
        self.carried.set(carried + 1);
        carried > 0
    }

    /// Counts a stream out; without one the connection is at rest.
    pub(super) fn end(&self) {
        let active = self.active().saturating_sub(1);
        self.state.active.set(active);
        if active == 0 {
            self.idle_since.set(clock::now());
            self.rest();
        }
    }

    /// It waits for a request: others may close it for its place under a limit.
    pub(super) fn rest(&self) {
        self.state.rest();
    }

    /// Whether it is there for a stream; at rest it may have lost its place to another.
    pub(super) fn resume(&self) -> bool {
        let awake = self.active() > 0 || self.state.resume();
        if !awake {
            self.retire();
        }
        awake
    }

    /// No other request is to begin on it.
    pub(super) fn retire(&self) {
        self.state.ended.set(true);
    }

    /// What is known of it.
    pub(super) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// What begins streams.
    pub(super) fn requests(&self) -> &SendRequest<Bytes> {
        &self.requests
    }

    /// Ends when the other side's first SETTINGS are known: `true`, or the connection has ended.
    pub async fn settled(&self) -> bool {
        while !self.state.settled.get() {
            self.state.settles.notified().await;
        }
        !self.state.ended.get()
    }

    /// Whether another stream has room: within our bound and that of the other side.
    pub(super) fn has_room(&self, most: u32) -> bool {
        let theirs = self.requests.current_max_send_streams();
        self.active() < most && (self.active() as usize) < theirs
    }

    /// Whether it has had no request for longer than the cluster keeps one.
    pub(super) fn is_stale(&self, bounds: &wire::Cluster, now: Instant) -> bool {
        let idle = bounds.timeouts.idle_ms;
        self.active() == 0
            && idle > 0
            && now.saturating_duration_since(self.idle_since.get()) >= Duration::from_millis(idle)
    }
}
