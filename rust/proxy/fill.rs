//! Reading into a lent buffer.

use std::io;
use std::task::{Context, Poll, ready};

use crate::runtime::buffers::{Buffer, Buffers};
use crate::tls::io::Io;

/// Reads once into the buffer in `slot`; 0 is the end. One is lent only when there is something to
/// put in, and goes back when nothing came: who waits holds none.
pub fn poll_fill(
    cx: &mut Context<'_>,
    io: &Io,
    buffers: &Buffers,
    slot: &mut Option<Buffer>,
) -> Poll<io::Result<usize>> {
    if slot.is_none() {
        ready!(io.poll_readable(cx))?;
    }
    let buffer = slot.get_or_insert_with(|| buffers.lend());
    let polled = io.poll_read(cx, buffer.room());
    match &polled {
        Poll::Ready(Ok(n)) => buffer.filled(*n),
        _ if buffer.is_empty() => *slot = None,
        _ => {}
    }
    polled
}
