//! Requests that have no connection yet: one is made, or they wait until one may be.

use std::sync::Arc;

use super::link::Speaks;
use super::upstream::{Ask, connect, connect_at};
use super::worker::Worker;
use crate::error::{Error, ErrorKind};
use crate::pool::{ClusterRun, EndpointRun, Full, Upstream};
use crate::runtime::clock;
use crate::snapshot::Guard;

/// A connection of HTTP/1, or for bytes: made now, or when the cluster's limit allows, or one that
/// another request has given back meanwhile.
pub(super) async fn upstream(
    worker: &Worker,
    (cluster, run): (&ClusterRun, &EndpointRun),
    ask: Ask,
) -> Result<Upstream, Error> {
    let guard = cluster.cluster.guard.as_ref();
    let made = match guard.filter(|guard| guard.limits.is_some()) {
        None => connect(cluster, run, ask, Speaks::Http1).await?,
        Some(guard) => {
            let guard = Arc::clone(guard);
            return wait(worker, (cluster, run), ask, &guard).await;
        }
    };
    Ok(made.into_upstream(cluster, worker.age(clock::now())))
}

async fn wait(
    worker: &Worker,
    (cluster, run): (&ClusterRun, &EndpointRun),
    ask: Ask,
    guard: &Guard,
) -> Result<Upstream, Error> {
    let limit = guard
        .limits
        .as_ref()
        .map_or(0, |it| it.max_pending_requests);
    let overflow = || {
        cluster.overflows();
        Error::new(ErrorKind::Overflow)
    };
    let _pending = guard.live.pending.enter(limit).ok_or_else(overflow)?;
    let waiting = guard.live.connections.waiting();
    let deadline = clock::now() + cluster.cluster.connect_timeout;
    loop {
        match cluster.lease(run) {
            Ok(lease) => {
                let made = connect_at(lease, (cluster, run), ask, Speaks::Http1).await?;
                return Ok(made.into_upstream(cluster, worker.age(clock::now())));
            }
            Err(Full::Endpoint) => return Err(overflow()),
            Err(Full::Cluster) => {}
        }
        let left = deadline.saturating_duration_since(clock::now());
        if !waiting.freed(left).await {
            return Err(overflow());
        }
        if ask.reuse
            && let Some(upstream) = run.checkout(&cluster.cluster.wire, clock::now())
        {
            return Ok(upstream);
        }
    }
}
