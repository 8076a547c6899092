//! HTTP/1 requests of one connection, one after the other.
//!
//! A connection that waits holds neither buffer nor request state: both are taken when its first
//! byte arrives and given back when the last pipelined request is answered.

mod bridged;
mod exchange;
mod head;
mod held;
mod parked;
mod preface;
mod response;
mod tunnel;
mod watch;

pub(super) use tunnel::CONNECTED;
pub(super) use watch::ClientWatch;

use preface::Preface;

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::{Next, earliest, end, idle_deadline, linger, record, reply};
use crate::error::ErrorKind;
use crate::proxy::connection::Downstream;
use crate::runtime::buffers::Buffer;
use crate::runtime::{clock, pinned};

/// Serves the connection to its end. Gives back what has been read of one that turned out to speak
/// HTTP/2 (RFC 9113 §3.3).
pub async fn serve(conn: &Downstream, first: Option<Buffer>) -> Option<Buffer> {
    let mut carried = first;
    let mut fresh = true;
    loop {
        let begun = match carried.take() {
            Some(first) => Some(first),
            None => wait_for_request(conn).await,
        };
        let Some(buffer) = begun else {
            end(conn).await;
            return None;
        };
        let buffer = if std::mem::take(&mut fresh) && preface::may_begin(&buffer) {
            match Box::pin(preface::read(conn, buffer)).await {
                Preface::Http2(buffer) => return Some(buffer),
                Preface::Http1(buffer) => buffer,
            }
        } else {
            buffer
        };
        // Boxed, so that the state of a request exists only while there is one.
        let requests = pinned::in_place(|| requests(conn, buffer));
        match requests.await {
            Next::KeepAlive => {}
            Next::Close => {
                Box::pin(linger(conn)).await;
                return None;
            }
            Next::Gone => return None,
        }
    }
}

/// Waits for the next request's first bytes; `None` when it is time to close. Readiness alone
/// doesn't end the wait: it may be left over from the last read, or half a TLS record.
async fn wait_for_request(conn: &Downstream) -> Option<Buffer> {
    let since = clock::now();
    let idle = conn.listener.current().listener.idle_timeout;
    poll_fn(|cx| {
        if let Poll::Ready(first) = poll_first(conn, cx) {
            return Poll::Ready(first);
        }
        conn.open.note_waker(cx);
        let deadline = earliest(idle.map(|idle| since + idle), idle_deadline(conn, since));
        match deadline {
            Some(deadline) => conn.timer.poll_expired(cx, deadline).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

/// Ready with the first bytes, or with `None` at the end of the connection.
fn poll_first(conn: &Downstream, cx: &mut Context<'_>) -> Poll<Option<Buffer>> {
    // A buffer is lent only once there is something to put in.
    if ready!(conn.io.poll_readable(cx)).is_err() {
        return Poll::Ready(None);
    }
    let mut buffer = conn.worker().buffers.lend();
    match ready!(conn.io.poll_read(cx, buffer.room())) {
        Ok(0) | Err(_) => Poll::Ready(None),
        Ok(n) => {
            buffer.filled(n);
            Poll::Ready(Some(buffer))
        }
    }
}

/// Serves requests until the buffer is empty and the client owes the next.
async fn requests(conn: &Downstream, mut buffer: Buffer) -> Next {
    loop {
        let begun = clock::now();
        let (len, complete) = match head::read(conn, &mut buffer, begun).await {
            Ok(Some(head)) => head,
            Ok(None) => return Next::Gone,
            Err(error) => return Box::pin(refuse(conn, error, begun, &buffer)).await,
        };
        let (next, rest) = exchange::serve(conn, buffer, len, (begun, complete)).await;
        match rest {
            Some(rest) if next == Next::KeepAlive && !rest.is_empty() => buffer = rest,
            _ => return next,
        }
    }
}

/// Answers a head that was refused before it could be admitted.
async fn refuse(conn: &Downstream, kind: ErrorKind, begun: Instant, buffer: &Buffer) -> Next {
    let current = conn.listener.current();
    conn.listener.stats.bad_requests_total.increment();
    let mut record = record::Record::new(conn, current, begun);
    record.refused_head(buffer);
    record.fail(kind);
    record.status = kind.status();
    let shape = reply::Shape::default();
    let outcome = reply::send(conn, &kind.into(), shape, &mut record).await;
    record.finish(conn);
    if outcome.is_ok() {
        Next::Close
    } else {
        Next::Gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F: Future>(_: impl FnOnce(&'static Downstream, Buffer) -> F) -> usize {
        size_of::<F>()
    }

    /// A request's state is moved once into its box: what it weighs is copied and allocated.
    /// What a request waits for first is boxed, and so is the wait: two pointers of it.
    #[test]
    fn the_state_of_a_request_is_bounded() {
        let size = size_of_future(requests);
        assert!(size <= 3056, "{size} bytes");
    }
}
