//! A connection's bytes, whether TLS carries them or not.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use super::stream::TlsStream;
use crate::net::Socket;

/// A connection.
#[derive(Debug)]
pub enum Io {
    /// Bytes as the socket has them.
    Plain(Socket),
    /// TLS; boxed, since its state is a hundred times a socket's.
    Tls(Box<TlsStream>),
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", self.socket())
            .finish_non_exhaustive()
    }
}

impl Io {
    /// Reads into `buf`; 0 is the end, and a TLS stream that ends without `close_notify` an error.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => socket.poll_read(cx, buf),
            Self::Tls(stream) => stream.poll_read(cx, buf),
        }
    }

    /// Writes from `first` and then `second`; says how much of both it took.
    pub fn poll_write(
        &self,
        cx: &mut Context<'_>,
        first: &[u8],
        second: &[u8],
    ) -> Poll<io::Result<usize>> {
        match (self, first.is_empty(), second.is_empty()) {
            (Self::Plain(socket), _, true) => socket.poll_write(cx, first),
            (Self::Plain(socket), true, _) => socket.poll_write(cx, second),
            (Self::Plain(socket), ..) => {
                socket.poll_write_vectored(cx, &[IoSlice::new(first), IoSlice::new(second)])
            }
            (Self::Tls(stream), ..) => {
                stream.poll_write(cx, &[IoSlice::new(first), IoSlice::new(second)])
            }
        }
    }

    /// Ready when all that was taken has been handed to the kernel.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => stream.poll_flush(cx),
        }
    }

    /// Ends our direction: `close_notify` where there is TLS, then FIN.
    pub fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Poll::Ready(socket.shutdown_write()),
            Self::Tls(stream) => stream.poll_shutdown(cx),
        }
    }

    /// Ready when a read would not wait for the network (it may still find half a TLS record).
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => socket.poll_readable(cx),
            Self::Tls(stream) => stream.poll_readable(cx),
        }
    }

    /// The socket below.
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.socket(),
        }
    }

    /// The socket, if nothing lies between it and the bytes.
    pub fn plain(&self) -> Option<&Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Tls(_) => None,
        }
    }
}
