//! Reading a request's head.

use std::future::poll_fn;
use std::time::Instant;

use crate::error::ErrorKind;
use crate::protocol::error::HeadError;
use crate::protocol::http1::HeadScanner;
use crate::proxy::connection::Downstream;
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;

/// Reads until the head is complete; gives its length and when that was, or `None` when the client
/// has gone.
///
/// # Errors
/// What to answer: a head that is malformed, too large or too slow.
pub(super) async fn read(
    conn: &Downstream,
    buffer: &mut Buffer,
    begun: Instant,
) -> Result<Option<(usize, Instant)>, ErrorKind> {
    let current = conn.listener.current();
    let limits = &current.listener.head_limits;
    let mut scanner = HeadScanner::default();
    let mut now = begun;
    loop {
        if !buffer.is_empty()
            && let Some(len) = scanner.scan(buffer, limits).map_err(HeadError::kind)?
        {
            return Ok(Some((len, now)));
        }
        let deadline = current.listener.header_timeout.map(|wait| begun + wait);
        let read = poll_fn(|cx| conn.io.poll_read(cx, buffer.room()));
        match conn.timer.until(deadline, read).await {
            Ok(Ok(0)) | Err(_) if buffer.is_empty() => return Ok(None),
            // Half a head and then the end: nothing could be answered that anybody asked for.
            Ok(Ok(0)) => return Err(ErrorKind::BadRequest),
            Ok(Ok(n)) => {
                buffer.filled(n);
                now = clock::now();
            }
            Ok(Err(_)) => return Ok(None),
            Err(_) => return Err(ErrorKind::HeadTimeout),
        }
    }
}
