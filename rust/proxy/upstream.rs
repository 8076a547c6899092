//! Getting a connection to an endpoint: from the pool, or made now.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::link::Speaks;
use super::worker::Worker;
use crate::error::{Error, ErrorKind};
use crate::net::{self, proxy_protocol};
use crate::pool::http2::{self, Connection};
use crate::pool::{Age, ClusterRun, EndpointRun, InFlight, Tried, Upstream};
use crate::runtime::clock;
use crate::snapshot::Lease;
use crate::tls::io::Io;
use crate::tls::stream::TlsStream;

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
    loop {
        let (flight, now) = match next_endpoint(worker, cluster, tried) {
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
        match Box::pin(connect(cluster, run, ask, Speaks::Http1)).await {
            Ok(made) => {
                let upstream = made.into_upstream(cluster, worker.age(clock::now()));
                return Ok((flight, upstream));
            }
            Err(error) => {
                cluster.failed(&flight, error.kind);
                last = Some(error);
            }
        }
    }
}

pub(super) fn next_endpoint(
    worker: &Worker,
    cluster: &ClusterRun,
    tried: &mut Tried,
) -> Result<(InFlight, Instant), ErrorKind> {
    if tried.len() >= ATTEMPTS_MAX {
        return Err(ErrorKind::NoEndpoint);
    }
    let now = clock::now();
    let picked =
        worker.with_random(|random| cluster.begin(random, (now, worker.micros(now)), tried));
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
    let limit = cluster.cluster.wire.pool.max_connections;
    let Some(lease) = run.endpoint.open.enter(limit) else {
        cluster.stats.overflow_total.increment();
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
    let made = tokio::time::timeout(
        cluster.cluster.connect_timeout,
        establish(cluster, run, ask, speaks),
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

async fn establish(
    cluster: &ClusterRun,
    run: &EndpointRun,
    ask: Ask,
    speaks: Speaks,
) -> Result<Io, Error> {
    let socket = net::dial::dial(&run.endpoint.address)
        .await
        .map_err(|error| Error::io(ErrorKind::UpstreamConnect, error))?;
    let Some(version) = cluster.cluster.wire.proxy_protocol else {
        return secure(cluster, run, socket, speaks).await;
    };
    let mut header = Vec::new();
    proxy_protocol::write(version, ask.client, ask.local, &mut header);
    let io = Io::Plain(socket);
    write_all(&io, &header)
        .await
        .map_err(|error| Error::io(ErrorKind::UpstreamConnect, error))?;
    let Io::Plain(socket) = io else {
        return Err(ErrorKind::UpstreamConnect.into());
    };
    secure(cluster, run, socket, speaks).await
}

async fn secure(
    cluster: &ClusterRun,
    run: &EndpointRun,
    socket: net::Socket,
    speaks: Speaks,
) -> Result<Io, Error> {
    let tls = match speaks {
        Speaks::Http1 => &cluster.cluster.tls,
        Speaks::Http2 | Speaks::Either => &cluster.cluster.tls_h2,
    };
    let Some(tls) = tls else {
        return Ok(Io::Plain(socket));
    };
    let host = run.endpoint.host.as_deref();
    let ip = run.endpoint.address.ip().map(|address| address.ip());
    let Some(name) = tls.name_for(host, ip) else {
        return Err(ErrorKind::UpstreamTls.into());
    };
    let stream = TlsStream::connect(socket, tls, name)
        .await
        .map_err(|error| Error::io(ErrorKind::UpstreamTls, error))?;
    if speaks == Speaks::Http2 && stream.alpn().is_some_and(|chosen| chosen != b"h2") {
        return Err(ErrorKind::UpstreamTls.into());
    }
    Ok(Io::Tls(Box::new(stream)))
}

/// Writes all of `bytes` and flushes.
///
/// # Errors
/// What writing says.
pub async fn write_all(io: &Io, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = poll_fn(|cx| io.poll_write(cx, bytes, &[])).await?;
        if n == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
    }
    poll_fn(|cx| io.poll_flush(cx)).await
}
