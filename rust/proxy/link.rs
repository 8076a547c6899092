//! What carries a request to its endpoint: a connection of its own, or a stream on a shared one.

use std::rc::Rc;

use super::upstream::{Ask, connect, next_endpoint, obtain};
use super::worker::Worker;
use crate::error::Error;
use crate::pool::http2::StreamLease;
use crate::pool::{ClusterRun, EndpointRun, InFlight, Tried, Upstream};
use crate::protocol::head::Version;
use crate::runtime::clock;
use crate::snapshot::Cluster;
use crate::wire::cluster::Protocol;

/// What may be spoken to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/1.1, or bytes that we don't know.
    Http1,
    /// HTTP/2.
    Http2,
    /// What the endpoint chooses by ALPN.
    Either,
}

impl Speaks {
    /// What `cluster` wants for a client of this version.
    pub fn of(cluster: &Cluster, client: Version) -> Self {
        match cluster.wire.protocol {
            Protocol::Http2 => Self::Http2,
            Protocol::Same if client == Version::Http2 => Self::Http2,
            Protocol::Auto if cluster.tls.is_some() => Self::Either,
            Protocol::Http1 | Protocol::Same | Protocol::Auto => Self::Http1,
        }
    }
}

/// What carries a request to its endpoint.
#[derive(Debug)]
pub enum Link {
    /// A connection of its own.
    Http1(Box<Upstream>),
    /// A stream on a shared one.
    Http2(StreamLease),
}

impl Link {
    /// The answer has been read: its place is free for the next request, whoever sends that.
    pub fn rest(&self) {
        match self {
            Self::Http1(upstream) => upstream.rest(),
            Self::Http2(stream) => stream.rest(),
        }
    }
}

/// Finds an endpoint and what carries a request to it in the protocol that `speaks` says.
///
/// # Errors
/// As [`obtain`].
pub async fn obtain_link(
    worker: &Worker,
    cluster: &Rc<ClusterRun>,
    tried: &mut Tried,
    (ask, speaks): (Ask, Speaks),
) -> Result<(InFlight, Link), Error> {
    if speaks == Speaks::Http1 {
        let (flight, upstream) = obtain(worker, cluster, tried, ask).await?;
        return Ok((flight, Link::Http1(Box::new(upstream))));
    }
    let mut last = None;
    let before = tried.len();
    loop {
        let (flight, _) = match next_endpoint(worker, cluster, (tried, before)) {
            Ok(found) => found,
            Err(kind) => return Err(last.unwrap_or_else(|| kind.into())),
        };
        let found = flight.run().streams.lend(&cluster.cluster.wire);
        if let Some(stream) = found {
            return Ok((flight, Link::Http2(stream)));
        }
        match Box::pin(link(worker, (cluster, flight.run()), ask, speaks)).await {
            Ok(link) => return Ok((flight, link)),
            Err(error) => {
                cluster.failed(&flight, error.kind);
                last = Some(error);
            }
        }
    }
}

/// A stream on a connection that is made now or was meanwhile, or what else the endpoint chose.
async fn link(
    worker: &Worker,
    (cluster, run): (&ClusterRun, &EndpointRun),
    ask: Ask,
    speaks: Speaks,
) -> Result<Link, Error> {
    let bounds = &cluster.cluster.wire;
    loop {
        // What chose HTTP/1 will again: such connections needn't wait for one another.
        if speaks == Speaks::Either && run.streams.chose_http1.get() {
            let kept = if ask.reuse {
                run.checkout(bounds, clock::now())
            } else {
                None
            };
            return match kept {
                Some(upstream) => Ok(Link::Http1(Box::new(upstream))),
                None => make(worker, (cluster, run), ask, speaks).await,
            };
        }
        let Some(turn) = run.streams.turn().await? else {
            if let Some(stream) = run.streams.lend(bounds) {
                return Ok(Link::Http2(stream));
            }
            continue;
        };
        let made = make(worker, (cluster, run), ask, speaks).await;
        return made.inspect_err(|error| turn.fail(error.kind));
    }
}

/// Makes a connection in the protocol that `speaks` says.
async fn make(
    worker: &Worker,
    (cluster, run): (&ClusterRun, &EndpointRun),
    ask: Ask,
    speaks: Speaks,
) -> Result<Link, Error> {
    let made = connect(cluster, run, ask, speaks).await?;
    let http1 = speaks == Speaks::Either && !made.chose_http2();
    run.streams.chose_http1.set(http1);
    if http1 {
        let upstream = made.into_upstream(cluster, worker.age(clock::now()));
        return Ok(Link::Http1(Box::new(upstream)));
    }
    let connection = made.into_shared(worker, cluster).await?;
    Ok(Link::Http2(run.streams.add(connection)))
}
