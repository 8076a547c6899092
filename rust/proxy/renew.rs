//! Renewing shared connections that have become old, beside the requests that they carry.
//!
//! A connection that lives for ever stays with whatever answers behind its address, however many
//! more there are by now. Its successor is there before it takes no more, so that no request waits.

use std::rc::Rc;

use super::link::Speaks;
use super::upstream::{Ask, connect_at};
use super::worker::Worker;
use crate::pool::{ClusterRun, EndpointRun};
use crate::protocol::head::Version;
use crate::runtime::clock;

/// Makes a connection in place of an old one that is in use. Where that fails the old one serves
/// on, and the next sweep tries again.
pub(super) fn spawn(worker: &Rc<Worker>, cluster: Rc<ClusterRun>, run: Rc<EndpointRun>) {
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        renew(&worker, &cluster, &run).await;
    });
}

async fn renew(worker: &Worker, cluster: &ClusterRun, run: &EndpointRun) -> Option<()> {
    let _turn = run.streams.try_turn()?;
    let bounds = &cluster.cluster.wire;
    // At the limit nobody is turned away for this: the old one is a place that is in use.
    let lease = cluster.lease(run).ok()?;
    let ask = Ask {
        reuse: false,
        client: None,
        local: None,
    };
    let speaks = Speaks::of(&cluster.cluster, Version::Http2);
    let made = connect_at(lease, (cluster, run), ask, speaks).await.ok()?;
    if speaks == Speaks::Either && !made.chose_http2() {
        run.streams.chose_http1.set(true);
        run.streams.retire_oldest(bounds, clock::now());
        return None;
    }
    let connection = made.into_shared(worker, cluster).await.ok()?;
    // It has shown that it serves before it is trusted with what the old one carries.
    let settled = tokio::time::timeout(cluster.cluster.connect_timeout, connection.settled());
    if settled.await == Ok(true) {
        run.streams.replace_oldest(connection, bounds, clock::now());
    }
    Some(())
}
