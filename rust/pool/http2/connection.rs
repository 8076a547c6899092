//! One HTTP/2 connection to an endpoint.

use std::cell::Cell;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use tokio::sync::Notify;

use super::SEND_BUFFER_BYTES;
use super::outbox::Outbox;
use super::transport::Transport;
use super::watch::Watch;
use crate::error::{Error, ErrorKind};
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
    active: Cell<u32>,
    carried: Cell<u64>,
    state: Rc<State>,
    watch: Watch,
    created: Instant,
    idle_since: Cell<Instant>,
}

/// What the task that drives a connection knows.
#[derive(Debug, Default)]
struct State {
    /// The task has ended, or the other side takes no more requests.
    ended: Cell<bool>,
    /// The other side's first SETTINGS are known.
    settled: Cell<bool>,
    settles: Notify,
}

/// A place for one stream; dropping it frees the place.
#[derive(Debug)]
pub struct StreamLease {
    connection: Rc<Connection>,
    /// Whether the connection carried a request before this one.
    pub reused: bool,
}

/// What counts a connection, for as long as its socket is open.
#[derive(Debug)]
struct Counted {
    stats: Arc<ClusterStats>,
    _lease: Lease,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.stats.connections_active.sub(1);
    }
}

/// Owns the bytes for the h2 crate.
struct Owned(Io);

impl Deref for Owned {
    type Target = Io;

    fn deref(&self) -> &Io {
        &self.0
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
    (lease, stats): (Lease, &Arc<ClusterStats>),
) -> Result<Connection, Error> {
    let transport = Transport::new(Owned(io), buffers.clone(), None, Guard::new(Role::Client));
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
    let (requests, driver) = builder
        .handshake::<_, Bytes>(transport)
        .await
        .map_err(|_| ErrorKind::UpstreamProtocol)?;
    stats.connections_active.add(1);
    let counted = Counted {
        stats: Arc::clone(stats),
        _lease: lease,
    };
    let state = Rc::new(State::default());
    let driving = drive(driver, (watch.clone(), outbox), Rc::clone(&state), counted);
    tokio::task::spawn_local(driving);
    let now = clock::now();
    Ok(Connection {
        requests,
        active: Cell::new(0),
        carried: Cell::new(0),
        state,
        watch,
        created: now,
        idle_since: Cell::new(now),
    })
}

/// Moves the connection's bytes until it has ended; the other side's excess ends it alone (HA-9).
async fn drive(
    mut driver: client::Connection<Transport<Owned>, Bytes>,
    (watch, outbox): (Watch, Outbox<Owned>),
    state: Rc<State>,
    counted: Counted,
) {
    poll_fn(|cx| {
        let polled = Pin::new(&mut driver).poll(cx);
        if watch.has_received() && !state.settled.replace(true) {
            state.settles.notify_waiters();
        }
        if watch.excess().is_some() {
            return Poll::Ready(());
        }
        if polled.is_pending() {
            // A failure shows again where h2 reads.
            let _ = outbox.poll_settle(cx);
        }
        polled.map(drop)
    })
    .await;
    state.ended.set(true);
    state.settled.set(true);
    state.settles.notify_waiters();
    drop((driver, counted));
}

impl Connection {
    /// Streams that are open.
    pub fn active(&self) -> u32 {
        self.active.get()
    }

    /// Whether new streams may begin on it at all.
    pub(super) fn takes_requests(&self, bounds: &wire::Cluster, now: Instant) -> bool {
        let pool = &bounds.pool;
        let young = pool.max_age_ms == 0
            || now.saturating_duration_since(self.created) < Duration::from_millis(pool.max_age_ms);
        let unused = pool.max_requests == 0 || self.carried.get() < pool.max_requests;
        !self.state.ended.get() && young && unused
    }

    /// Whether another stream has room: within our bound and that of the other side.
    pub(super) fn has_room(&self, most: u32) -> bool {
        let theirs = self.requests.current_max_send_streams();
        self.active.get() < most && (self.active.get() as usize) < theirs
    }

    /// Whether it has had no request for longer than the cluster keeps one.
    pub(super) fn is_stale(&self, bounds: &wire::Cluster, now: Instant) -> bool {
        let idle = bounds.timeouts.idle_ms;
        self.active.get() == 0
            && idle > 0
            && now.saturating_duration_since(self.idle_since.get()) >= Duration::from_millis(idle)
    }
}

impl StreamLease {
    pub(super) fn new(connection: &Rc<Connection>) -> Self {
        connection.active.set(connection.active.get() + 1);
        let carried = connection.carried.get();
        connection.carried.set(carried + 1);
        Self {
            connection: Rc::clone(connection),
            reused: carried > 0,
        }
    }

    /// What begins the stream.
    pub fn requests(&self) -> SendRequest<Bytes> {
        self.connection.requests.clone()
    }

    /// What is known of its connection.
    pub fn watch(&self) -> Watch {
        self.connection.watch.clone()
    }

    /// Whether the other side takes extended CONNECT (RFC 8441 §3), which its SETTINGS say.
    pub async fn takes_extended_connect(&self) -> bool {
        while !self.connection.state.settled.get() {
            self.connection.state.settles.notified().await;
        }
        self.connection
            .requests
            .is_extended_connect_protocol_enabled()
    }

    /// No other request is to begin on this connection: its other side is going away.
    pub fn retire(&self) {
        self.connection.state.ended.set(true);
    }
}

impl Drop for StreamLease {
    fn drop(&mut self) {
        let active = self.connection.active.get().saturating_sub(1);
        self.connection.active.set(active);
        if active == 0 {
            self.connection.idle_since.set(clock::now());
        }
    }
}
