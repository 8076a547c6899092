//! Waiting before a request goes on, with an ear to its client.

use std::future::poll_fn;
use std::task::Poll;

use super::ClientWatch;
use crate::proxy::connection::Downstream;
use crate::proxy::http::admit::Facts;
use crate::proxy::http::record::Record;
use crate::proxy::http::reply;
use crate::runtime::clock;

/// Waits as long as the request's fault wants; says whether the client left meanwhile. The timeouts
/// of the route and the listener begin later; what of a body has come is left where it is.
pub(super) async fn left_in(conn: &Downstream, facts: Facts, record: &mut Record) -> bool {
    let Some(delay) = record.held.as_ref().map(|held| held.delay) else {
        return false;
    };
    let mut watch = ClientWatch::new(conn, facts, record.half_close());
    let left = poll_fn(|cx| match watch.poll(cx, conn, false) {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(error),
    });
    let deadline = clock::now().checked_add(delay);
    let Ok(error) = conn.timer.until(deadline, left).await else {
        return false;
    };
    record.fail(error.kind);
    reply::cut(conn);
    true
}
