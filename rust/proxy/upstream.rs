//! Getting a connection to an endpoint: from the pool, or made now.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::worker::Worker;
use crate::error::{Error, ErrorKind};
use crate::net::{self, proxy_protocol};
use crate::pool::{ClusterRun, EndpointRun, InFlight, Tried, Upstream};
use crate::runtime::clock;
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

/// Finds an endpoint that `tried` doesn't hold and a connection to it.
///
/// # Errors
/// `NoEndpoint` when none is left, else what the last endpoint's connect said.
pub async fn obtain(
    worker: &Worker,
    cluster: &Rc<ClusterRun>,
    tried: &mut Tried,
    ask: Ask,
) -> Result<(InFlight, Upstream), Error> {
    let mut last = Error::new(ErrorKind::NoEndpoint);
    while tried.len() < ATTEMPTS_MAX {
        let now = clock::now();
        let picked = worker.with_random(|random| cluster.pick(random, worker.micros(now), tried));
        let Some(run) = picked else {
            break;
        };
        let flight = InFlight::begin(Rc::clone(run));
        if ask.reuse
            && let Some(upstream) = run.checkout(&cluster.cluster.wire, now)
        {
            return Ok((flight, upstream));
        }
        // Boxed: most requests find a connection, and none of them carries this state along.
        match Box::pin(connect(cluster, run, ask, now)).await {
            Ok(upstream) => return Ok((flight, upstream)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect(
    cluster: &ClusterRun,
    run: &EndpointRun,
    ask: Ask,
    now: Instant,
) -> Result<Upstream, Error> {
    let limit = cluster.cluster.wire.pool.max_connections;
    let Some(lease) = run.endpoint.open.enter(limit) else {
        cluster.stats.overflow_total.increment();
        return Err(ErrorKind::Overflow.into());
    };
    cluster.stats.connects_total.increment();
    run.stats.connects_total.increment();
    let made = tokio::time::timeout(
        cluster.cluster.connect_timeout,
        establish(cluster, run, ask),
    );
    let result = match made.await {
        Ok(result) => result,
        Err(_) => Err(ErrorKind::UpstreamConnectTimeout.into()),
    };
    match result {
        Ok(io) => Ok(Upstream::new(io, now, lease, &cluster.stats)),
        Err(error) => {
            cluster.stats.connect_failures_total.increment();
            run.stats.connect_failures_total.increment();
            Err(error)
        }
    }
}

async fn establish(cluster: &ClusterRun, run: &EndpointRun, ask: Ask) -> Result<Io, Error> {
    let socket = net::dial::dial(&run.endpoint.address)
        .await
        .map_err(|error| Error::io(ErrorKind::UpstreamConnect, error))?;
    if let Some(version) = cluster.cluster.wire.proxy_protocol {
        let mut header = Vec::new();
        proxy_protocol::write(version, ask.client, ask.local, &mut header);
        let io = Io::Plain(socket);
        write_all(&io, &header)
            .await
            .map_err(|error| Error::io(ErrorKind::UpstreamConnect, error))?;
        let Io::Plain(socket) = io else {
            return Err(ErrorKind::UpstreamConnect.into());
        };
        return secure(cluster, run, socket).await;
    }
    secure(cluster, run, socket).await
}

async fn secure(cluster: &ClusterRun, run: &EndpointRun, socket: net::Socket) -> Result<Io, Error> {
    let Some(tls) = &cluster.cluster.tls else {
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
