//! Bytes between the h2 crate and a connection of ours, with the guard in between.

use std::io::{self, IoSlice};
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outbox::Outbox;
use super::watch::Watch;
use crate::protocol::http2::guard::Guard;
use crate::runtime::buffers::{Buffer, Buffers};
use crate::tls::io::Io;

/// A connection as the h2 crate drives it.
#[derive(Debug)]
pub struct Transport<T> {
    outbox: Outbox<T>,
    /// What was read and h2 hasn't taken: it takes a few kilobytes at a time, a read brings more.
    read: Option<Buffer>,
    watch: Watch,
}

impl<T: Deref<Target = Io> + Unpin> Transport<T> {
    /// Carries the bytes of `io`, of which `first` has been read.
    pub fn new(io: T, buffers: Buffers, first: Option<Buffer>, guard: Guard) -> Self {
        let watch = Watch::new(guard);
        Self {
            outbox: Outbox::new(io, buffers, watch.clone()),
            read: first.filter(|first| !first.is_empty()),
            watch,
        }
    }

    /// What the guard knows.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// What h2 writes goes there, and is sent by whoever polls h2.
    pub fn outbox(&self) -> Outbox<T> {
        self.outbox.clone()
    }

    /// Hands bytes to the guard, and to h2 unless they are too much: then h2 gets nothing more,
    /// and whoever holds the watch ends the connection.
    fn deliver(&mut self, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(read) = &mut self.read else {
            return Poll::Ready(Ok(()));
        };
        let n = read.len().min(to.remaining());
        let bytes = read.get(..n).unwrap_or_default();
        self.watch.received(bytes);
        if self.watch.excess().is_some() {
            return Poll::Pending;
        }
        to.put_slice(bytes);
        read.consume(n);
        if read.is_empty() {
            self.read = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Deref<Target = Io> + Unpin> AsyncRead for Transport<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.excess().is_some() {
            return Poll::Pending;
        }
        if this.read.is_none() {
            // Lent once there is something to read: an idle connection holds none.
            ready!(this.outbox.io().poll_readable(cx))?;
            let mut buffer = this.outbox.buffers().lend();
            let n = ready!(this.outbox.io().poll_read(cx, buffer.room()))?;
            buffer.filled(n);
            this.read = Some(buffer);
        }
        this.deliver(to)
    }
}

impl<T: Deref<Target = Io> + Unpin> AsyncWrite for Transport<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outbox = &this.outbox;
        let written = if let Some(gathered) = outbox.gather(parts) {
            gathered
        } else {
            ready!(outbox.poll_drain(cx))?;
            match outbox.gather(parts) {
                Some(gathered) => gathered,
                None => ready!(write_through(cx, outbox.io(), parts))?,
            }
        };
        this.watch.sent(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Left to the outbox's owner, see there.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outbox = &self.outbox;
        ready!(outbox.poll_drain(cx))?;
        outbox.io().poll_shutdown(cx)
    }
}

/// Writes what is larger than a buffer as it is.
fn write_through(cx: &mut Context<'_>, io: &Io, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    let mut filled = parts.iter().filter(|part| !part.is_empty());
    let head = filled.next().map_or(&[][..], |part| part);
    let body = filled.next().map_or(&[][..], |part| part);
    io.poll_write(cx, head, body)
}
