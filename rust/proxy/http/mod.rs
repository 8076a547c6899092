//! HTTP, whichever version either side speaks: what all exchanges share.

mod activity;
mod admit;
mod aim;
mod bridge;
mod edits;
mod gather;
mod held;
mod hooks;
pub mod http1;
pub mod http2;
mod limit;
mod mirror;
mod overload;
mod phases;
mod record;
mod reply;
mod request;
mod rewrite;
mod stall;

pub(in crate::proxy) use hooks::about_connection as call_about_connection;
pub use request::{Peer, see};

use std::future::poll_fn;
use std::time::{Duration, Instant};

use super::connection::Downstream;
use crate::error::{Error, ErrorKind};
use crate::protocol::http1::HeadLimits;
use crate::runtime::buffers::BUFFER_BYTES;
use crate::runtime::clock;
use crate::tls::io::Io;

/// What becomes of an HTTP/1 connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Another request may come.
    KeepAlive,
    /// Answered; the client may still be sending.
    Close,
    /// Cut, or ended as a tunnel.
    Gone,
}

/// Interim responses (RFC 9110 §15.2) passed on before the final one.
const INTERIM_MAX: u32 = 16;

/// Bounds of an upstream's heads: twice what we take from clients, since fewer are hostile.
const UPSTREAM_HEAD: HeadLimits = HeadLimits::response(BUFFER_BYTES - 1, 200);

/// Bytes that a closing connection still reads and drops: closing with unread bytes sends RST,
/// which would destroy the answer on its way (RFC 9112 §9.6).
const LINGER_BYTES: usize = 256 * 1024;

/// How long it does so.
const LINGER_TIME: Duration = Duration::from_secs(2);

/// How long a connection may be idle while the process has too much to do: a busy client's next
/// request comes within that.
const PRESSED_GRACE: Duration = Duration::from_secs(1);

/// An upstream connection of HTTP/1 ended before its answer. After a FIN without a byte of one (Linux
/// says `EPIPE` when a reset followed it) the request may never have been seen; a bare reset tells
/// nothing.
fn lost(error: std::io::Error, any: bool) -> Error {
    use std::io::ErrorKind::{BrokenPipe, UnexpectedEof};
    let ended = matches!(error.kind(), BrokenPipe | UnexpectedEof);
    let lost = Error::io(ErrorKind::UpstreamReset, error);
    if ended && !any {
        lost.unprocessed()
    } else {
        lost
    }
}

/// A drain lets an idle connection make one more request within its grace, to be told
/// `Connection: close`; closing at once would lose a request that is on its way.
fn idle_deadline(conn: &Downstream, since: Instant) -> Option<Instant> {
    let drain = conn.worker().draining();
    let drained = drain.map(|drain| drain.since.max(since) + drain.idle_grace);
    let gone = conn
        .listener
        .gone_since()
        .map(|gone| gone.max(since) + super::listener::GONE_GRACE);
    earliest(earliest(drained, gone), pressed(conn, since))
}

/// Where the process has too much to do, connections that nobody uses make room.
fn pressed(conn: &Downstream, since: Instant) -> Option<Instant> {
    let pressed = conn.worker().pressed()?;
    Some(pressed.max(since) + PRESSED_GRACE)
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Says the end, reads on for a moment so that the answer isn't lost, and closes.
async fn linger(conn: &Downstream) {
    let deadline = Some(clock::now() + LINGER_TIME);
    let work = async {
        if poll_fn(|cx| conn.io.poll_shutdown(cx)).await.is_err() {
            return;
        }
        let mut dropped = 0;
        while dropped < LINGER_BYTES {
            if poll_fn(|cx| conn.io.poll_readable(cx)).await.is_err() {
                return;
            }
            let mut buffer = conn.worker().buffers.lend();
            match poll_fn(|cx| conn.io.poll_read(cx, buffer.room())).await {
                Ok(0) | Err(_) => return,
                Ok(n) => dropped += n,
            }
        }
    };
    // The end of the time is the end of the connection either way.
    let _ = conn.timer.until(deadline, work).await;
}

/// Ends an idle connection.
async fn end(conn: &Downstream) {
    if matches!(conn.io, Io::Tls(_)) {
        let deadline = Some(clock::now() + LINGER_TIME);
        let _ = conn
            .timer
            .until(deadline, poll_fn(|cx| conn.io.poll_shutdown(cx)))
            .await;
    }
}
