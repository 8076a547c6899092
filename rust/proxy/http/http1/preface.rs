//! Telling HTTP/2's preface from a request of HTTP/1 on the same port.

use std::future::poll_fn;

use crate::protocol::detect::HTTP2_PREFACE;
use crate::proxy::connection::Downstream;
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;

/// What a connection speaks, with what has been read of it.
pub(super) enum Preface {
    Http1(Buffer),
    Http2(Buffer),
}

/// Whether these first bytes may begin a preface: `P` is enough, `PO` is not.
pub(super) fn may_begin(first: &[u8]) -> bool {
    let n = first.len().min(HTTP2_PREFACE.len());
    first.get(..n) == HTTP2_PREFACE.get(..n)
}

/// Reads until the bytes differ from the preface or are all of it. What doesn't come in time, or
/// not at all, is left to HTTP/1 to answer.
pub(super) async fn read(conn: &Downstream, mut buffer: Buffer) -> Preface {
    let current = conn.listener.current();
    let wait = current.listener.header_timeout;
    let deadline = wait.map(|wait| clock::now() + wait);
    loop {
        if !may_begin(&buffer) {
            return Preface::Http1(buffer);
        }
        if buffer.len() >= HTTP2_PREFACE.len() {
            return Preface::Http2(buffer);
        }
        let read = poll_fn(|cx| conn.io.poll_read(cx, buffer.room()));
        match conn.timer.until(deadline, read).await {
            Ok(Ok(n)) if n > 0 => buffer.filled(n),
            _ => return Preface::Http1(buffer),
        }
    }
}
