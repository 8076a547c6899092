//! Getting a connection to an endpoint: from the pool, or made now.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::link::Speaks;
use super::pending;
use super::worker::Worker;
use crate::error::{Error, ErrorKind};
use crate::pool::http2::{self, Connection};
use crate::pool::{
    Age, ClusterRun, Destination, EndpointRun, InFlight, Tried, Upstream, establish,
};
use crate::runtime::clock;
use crate::snapshot::Lease;
use crate::tls::io::Io;

/// Endpoints tried for one request: a connect that failed never reached the application, so the
/// next may take it; more than this would only multiply an outage.
const ATTEMPTS_MAX: usize = 3;

/// Who asks for a connection.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Whether a pooled connection will do.
    pub reuse: bool,
    /// Addresses for a PROXY header: the client's and ours.
    pub client: Option<SocketAddr>,
    /// See `client`.
    pub local: Option<SocketAddr>,
}

/// Finds an endpoint that `tried` doesn't hold and an HTTP/1 connection to it.
///
/// # Errors
/// `NoEndpoint` when none is left, else what the last endpoint's connect said.
pub async fn obtain(
    worker: &Worker,
    cluster: &Rc<ClusterRun>,
    tried: &mut Tried,
    ask: Ask,
) -> Result<(InFlight, Upstream), Error> {
    let mut last = None;
    let before = tried.len();
    loop {
        let (flight, now) = match next_endpoint(worker, cluster, (tried, before)) {
            Ok(found) => found,
            Err(kind) => return Err(last.unwrap_or_else(|| kind.into())),
        };
        let run = flight.run();
        if ask.reuse
            && let Some(upstream) = run.checkout(&cluster.cluster.wire, now)
        {
            return Ok((flight, upstream));
        }
        // Boxed: most requests find a connection, and none of them carries this state along.
        match Box::pin(pending::upstream(worker, (cluster, run), ask)).await {
            Ok(upstream) => return Ok((flight, upstream)),
            Err(error) => {
                cluster.failed(&flight, error.kind);
                last = Some(error);
            }
        }
    }
}

/// An endpoint that this look-out hasn't tried; `before` it began so many had been.
pub(super) fn next_endpoint(
    worker: &Worker,
    cluster: &ClusterRun,
    (tried, before): (&mut Tried, usize),
) -> Result<(InFlight, Instant), ErrorKind> {
    if tried.len().saturating_sub(before) >= ATTEMPTS_MAX {
        return Err(ErrorKind::NoEndpoint);
    }
    let now = clock::now();
    let now_us = if cluster.goes_by_latency() {
        worker.micros(now)
    } else {
        0
    };
    let picked = worker.with_random(|random| cluster.begin(random, (now, now_us), tried));
    Ok((picked?, now))
}

/// A connection that was just made.
pub(super) struct Made {
    pub(super) io: Io,
    pub(super) lease: Lease,
}

impl Made {
    /// For one request at a time.
    pub(super) fn into_upstream(self, cluster: &ClusterRun, age: Age) -> Upstream {
        Upstream::new(self.io, age, self.lease, &cluster.stats)
    }

    /// For many requests at once.
    pub(super) async fn into_shared(
        self,
        worker: &Worker,
        cluster: &ClusterRun,
    ) -> Result<Connection, Error> {
        let counted = (self.lease, &cluster.stats, worker.age(clock::now()));
        http2::connect(self.io, &worker.buffers, &cluster.cluster.wire, counted).await
    }

    pub(super) fn chose_http2(&self) -> bool {
        matches!(&self.io, Io::Tls(stream) if stream.alpn() == Some(b"h2"))
    }
}

pub(super) async fn connect(
    cluster: &ClusterRun,
    run: &EndpointRun,
    ask: Ask,
    speaks: Speaks,
) -> Result<Made, Error> {
    let Ok(lease) = cluster.lease(run) else {
        cluster.overflows();
        return Err(ErrorKind::Overflow.into());
    };
    connect_at(lease, (cluster, run), ask, speaks).await
}

/// Connects where a place for the connection is known already.
pub(super) async fn connect_at(
    lease: Lease,
    (cluster, run): (&ClusterRun, &EndpointRun),
    ask: Ask,
    speaks: Speaks,
) -> Result<Made, Error> {
    cluster.stats.connects_total.increment();
    run.stats.connects_total.increment();
    let tls = match speaks {
        Speaks::Http1 => &cluster.cluster.tls,
        Speaks::Http2 | Speaks::Either => &cluster.cluster.tls_h2,
    };
    let to = Destination {
        address: &run.endpoint.address,
        host: run.endpoint.host.as_deref(),
        tls: tls.as_ref(),
        only_h2: speaks == Speaks::Http2,
    };
    let made = tokio::time::timeout(
        cluster.cluster.connect_timeout,
        establish(&cluster.cluster, to, (ask.client, ask.local)),
    );
    let result = match made.await {
        Ok(result) => result,
        Err(_) => Err(ErrorKind::UpstreamConnectTimeout.into()),
    };
    match result {
        Ok(io) => Ok(Made { io, lease }),
        Err(error) => {
            cluster.stats.connect_failures_total.increment();
            run.stats.connect_failures_total.increment();
            Err(error)
        }
    }
}
