//! One endpoint as a worker sees it: idle connections, counts, and the connections themselves.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::{Age, Probes, http2};
use crate::balance::Active;
use crate::net::socket::Peek;
use crate::snapshot::{Endpoint, Lease, Place};
use crate::telemetry::{ClusterStats, EndpointStats};
use crate::tls::io::Io;
use crate::wire;

/// One endpoint.
#[derive(Debug)]
pub struct EndpointRun {
    /// What the snapshot says of it.
    pub endpoint: Arc<Endpoint>,
    /// Its counters.
    pub stats: Arc<EndpointStats>,
    /// Whether its load must be counted for the picker.
    counts_load: bool,
    idle: RefCell<Vec<Upstream>>,
    /// Connections that requests share.
    pub streams: http2::Connections,
    gone: Cell<bool>,
}

/// A connection to an endpoint.
#[derive(Debug)]
pub struct Upstream {
    /// Its bytes.
    pub io: Io,
    /// Requests that it has carried.
    pub requests: u64,
    /// What had been written before the request that it carries.
    mark: u64,
    age: Age,
    idle_since: Instant,
    /// Counts it among the endpoint's open connections.
    lease: Lease,
    _counted: Counted,
}

/// An upstream connection in its cluster's numbers; dropping it counts it out.
#[derive(Debug)]
struct Counted(Arc<ClusterStats>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections_active.sub(1);
    }
}

impl Upstream {
    /// A new connection of a cluster, which carries its first request.
    pub fn new(io: Io, age: Age, lease: Lease, stats: &Arc<ClusterStats>) -> Self {
        stats.connections_active.add(1);
        Self {
            io,
            requests: 1,
            mark: 0,
            age,
            idle_since: age.begun,
            lease,
            _counted: Counted(Arc::clone(stats)),
        }
    }

    /// Whether it carried a request before this one.
    pub fn is_reused(&self) -> bool {
        self.requests > 1
    }

    /// Whether the peer's TCP has acknowledged no byte of the request that it carries: what was
    /// never received was never processed (docs/decisions, "stale connections").
    pub fn took_nothing(&self) -> bool {
        self.io
            .socket()
            .bytes_acked()
            .is_some_and(|acked| acked <= self.mark)
    }

    /// The answer has been read: another request may have the connection's place from now on, and
    /// close it for that.
    pub fn rest(&self) {
        self.lease.rest(self.io.socket().shared());
    }

    /// Nothing to read: neither the end nor an answer that nobody asked for.
    fn is_quiet(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        match &self.io {
            Io::Plain(socket) => {
                socket.poll_readable(&mut cx).is_pending() || matches!(socket.peek(), Peek::Nothing)
            }
            // Session tickets may still wait to be read; anything else ends its use.
            Io::Tls(stream) => stream.poll_read(&mut cx, &mut [0; 1]).is_pending(),
        }
    }
}

impl EndpointRun {
    /// A worker's side of `endpoint`.
    pub fn new(endpoint: Arc<Endpoint>, stats: Arc<EndpointStats>, counts_load: bool) -> Self {
        Self {
            endpoint,
            stats,
            counts_load,
            idle: RefCell::default(),
            streams: http2::Connections::default(),
            gone: Cell::new(false),
        }
    }

    /// Takes the connection used last that is still good.
    pub fn checkout(&self, bounds: &wire::Cluster, now: Instant) -> Option<Upstream> {
        loop {
            let mut upstream = self.idle.borrow_mut().pop()?;
            if upstream.lease.resume() && Self::is_usable(&upstream, bounds, now) {
                upstream.requests += 1;
                upstream.mark = upstream.io.socket().written();
                return Some(upstream);
            }
        }
    }

    /// Gives a connection back after a complete exchange.
    pub fn checkin(&self, mut upstream: Upstream, bounds: &wire::Cluster, now: Instant) {
        let pool = &bounds.pool;
        let used_up = pool.max_requests > 0 && upstream.requests >= pool.max_requests;
        let mut idle = self.idle.borrow_mut();
        if !self.gone.get() && !used_up && idle.len() < pool.max_idle as usize {
            upstream.idle_since = now;
            upstream.rest();
            idle.push(upstream);
        }
    }

    /// Closes idle connections that are too old or that the endpoint has closed. Whether a shared
    /// one in use has become too old: another has to be made before it may go.
    pub fn sweep(&self, bounds: &wire::Cluster, now: Instant) -> bool {
        // Dropping a connection closes a socket; nothing of that comes back here.
        self.idle
            .borrow_mut()
            .retain(|upstream| Self::is_usable(upstream, bounds, now));
        self.streams.sweep(bounds, now)
    }

    /// Whether it has left the configuration.
    pub fn has_left(&self) -> bool {
        self.gone.get()
    }

    /// The endpoint has left the configuration: idle connections close now, others after use.
    pub fn leave(&self) {
        self.gone.set(true);
        self.idle.borrow_mut().clear();
        self.streams.leave();
    }

    /// Idle connections.
    pub fn idle_count(&self) -> usize {
        self.idle.borrow().len() + self.streams.idle_count()
    }

    fn is_usable(upstream: &Upstream, bounds: &wire::Cluster, now: Instant) -> bool {
        let rest = now.saturating_duration_since(upstream.idle_since);
        let idle_ms = bounds.timeouts.idle_ms;
        (idle_ms == 0 || rest < Duration::from_millis(idle_ms))
            && !upstream.age.is_over(bounds.pool.max_age_ms, now)
            && upstream.is_quiet()
    }
}

/// A request (TCP: a connection) that an endpoint works on; dropping it ends the count.
#[derive(Debug)]
pub struct InFlight {
    run: Rc<EndpointRun>,
    _active: Option<Active>,
    probes: Option<Rc<Probes>>,
    /// Counts it among its cluster's, where they have a limit.
    place: Option<Place>,
}

impl InFlight {
    /// Counts one in.
    pub fn begin(run: Rc<EndpointRun>) -> Self {
        let active = run.counts_load.then(|| run.endpoint.load.begin());
        Self::new(run, active)
    }

    /// Counts one in, unless the endpoint has `limit` (0: none).
    pub fn try_begin(run: Rc<EndpointRun>, limit: u32) -> Option<Self> {
        if limit == 0 {
            return Some(Self::begin(run));
        }
        let active = run.endpoint.load.try_begin(limit)?;
        Some(Self::new(run, Some(active)))
    }

    fn new(run: Rc<EndpointRun>, active: Option<Active>) -> Self {
        run.stats.requests_total.increment();
        run.stats.requests_active.add(1);
        Self {
            run,
            _active: active,
            probes: None,
            place: None,
        }
    }

    /// The same: its outcome decides about these circuits, and it has this place.
    #[must_use]
    pub fn with(mut self, probes: Option<Rc<Probes>>, place: Option<Place>) -> Self {
        self.probes = probes;
        self.place = place;
        self
    }

    /// The circuits that its outcome decides about.
    pub fn probes(&self) -> Option<&Rc<Probes>> {
        self.probes.as_ref()
    }

    /// The endpoint.
    pub fn run(&self) -> &Rc<EndpointRun> {
        &self.run
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.run.stats.requests_active.sub(1);
    }
}
