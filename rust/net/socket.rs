//! A connected stream socket, TCP or unix, driven by readiness through a shared reference.
//!
//! A read that returns less than was asked for has emptied the kernel's buffer, so read readiness
//! is cleared at once: no empty read follows (the edge-triggered rule that tokio's streams use).

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::sys;

/// A connected stream socket.
#[derive(Debug)]
pub struct Socket {
    /// Shared so that another worker may shut it down while it waits in a pool.
    fd: AsyncFd<Arc<socket2::Socket>>,
    written: Cell<u64>,
}

impl Socket {
    /// Takes a connected (or connecting) non-blocking socket into the current runtime.
    ///
    /// # Errors
    /// What `epoll_ctl` says.
    pub fn new(socket: socket2::Socket) -> io::Result<Self> {
        let fd = sys::watch(Arc::new(socket), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            fd,
            written: Cell::new(0),
        })
    }

    /// Reads into `buf`; 0 is the end of the stream.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(cx))?;
            match rustix::net::recv(self.fd.get_ref(), &mut *buf, RecvFlags::empty()) {
                Ok((n, _)) => {
                    clear_if_partial(&mut guard, n, buf.len());
                    return Poll::Ready(Ok(n));
                }
                Err(rustix::io::Errno::AGAIN) => guard.clear_ready(),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Reads into `buf` if there is something to read; `WouldBlock` otherwise. Registers no waker.
    ///
    /// # Errors
    /// What `recv` says.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.fd.try_io(Interest::READABLE, |fd| {
            let (n, _) = rustix::net::recv(fd, &mut *buf, RecvFlags::empty())?;
            Ok(n)
        })
    }

    /// Writes one buffer.
    pub fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf.len(), |socket| {
            socket.send_with_flags(buf, libc::MSG_NOSIGNAL)
        })
    }

    /// Writes several buffers with one call.
    pub fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_send(cx, len, |socket| {
            socket.send_vectored_with_flags(bufs, libc::MSG_NOSIGNAL)
        })
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        mut send: impl FnMut(&socket2::Socket) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.fd.poll_write_ready(cx))?;
            match send(self.fd.get_ref()) {
                Ok(n) => {
                    clear_if_partial(&mut guard, n, len);
                    self.count_written(n);
                    return Poll::Ready(Ok(n));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Ready when there is something to read, the end and errors included.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fd.poll_read_ready(cx).map_ok(drop)
    }

    /// Ready when something can be written.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fd.poll_write_ready(cx).map_ok(drop)
    }

    /// Looks at what a read would give without taking it. Registers no waker.
    pub fn peek(&self) -> Peek {
        let mut byte = [MaybeUninit::uninit(); 1];
        match self.fd.try_io(Interest::READABLE, |fd| fd.peek(&mut byte)) {
            Ok(0) => Peek::End,
            Ok(_) => Peek::Bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Peek::Nothing,
            Err(error) => Peek::Failed(error),
        }
    }

    /// Ends when the peer has ended its direction or the connection has failed, whatever else there is
    /// to be read.
    pub async fn leaves(&self) -> Gone {
        let either = Interest::PRIORITY | Interest::ERROR;
        match self.fd.ready(either).await {
            Ok(guard) if !guard.ready().is_error() => Gone::Ended,
            Ok(_) | Err(_) => Gone::Failed,
        }
    }

    /// Ends when the connection has failed, be it after the peer's end, where no read shows it.
    pub async fn fails(&self) -> Gone {
        // Fails itself only where the runtime ends.
        let _ = self.fd.ready(Interest::ERROR).await;
        Gone::Failed
    }

    /// Calls `f` when readable; it says `WouldBlock` to wait again.
    pub(super) fn poll_read_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut f: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(cx))?;
            if let Ok(result) = guard.try_io(|fd| f(fd.get_ref().as_fd())) {
                return Poll::Ready(result);
            }
        }
    }

    /// Calls `f` when writable; it says `WouldBlock` to wait again.
    pub(super) fn poll_write_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut f: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.fd.poll_write_ready(cx))?;
            if let Ok(result) = guard.try_io(|fd| f(fd.get_ref().as_fd())) {
                return Poll::Ready(result);
            }
        }
    }

    /// Sends FIN; reading goes on.
    ///
    /// # Errors
    /// What `shutdown` says, but that the peer is gone already.
    pub fn shutdown_write(&self) -> io::Result<()> {
        match self.fd.get_ref().shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Makes the coming close send RST, so that a truncation stays visible to the peer.
    pub fn reset_on_close(&self) {
        // Can only fail on a socket that is gone, which then needs no reset.
        let _ = self
            .fd
            .get_ref()
            .set_linger(Some(std::time::Duration::ZERO));
    }

    /// Has the kernel ask the peer, when it is silent, whether it is still there.
    ///
    /// # Errors
    /// What `setsockopt` says.
    pub fn keep_alive(&self, how: &socket2::TcpKeepalive) -> io::Result<()> {
        self.fd.get_ref().set_tcp_keepalive(how)
    }

    /// Ready when an asynchronous connect has succeeded.
    ///
    /// # Errors
    /// What ended it instead.
    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = ready!(self.fd.poll_write_ready(cx))?;
        // A connect that failed shows as closed too; asking each time would be a call for nothing.
        if guard.ready().is_write_closed()
            && let Some(error) = self.fd.get_ref().take_error()?
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }

    /// The socket itself, for who may have to close it from elsewhere.
    pub fn shared(&self) -> &Arc<socket2::Socket> {
        self.fd.get_ref()
    }

    /// The peer's IP address and port.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.fd
            .get_ref()
            .peer_addr()
            .ok()
            .and_then(|address| address.as_socket())
    }

    /// Our own IP address and port.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.fd
            .get_ref()
            .local_addr()
            .ok()
            .and_then(|address| address.as_socket())
    }

    /// Bytes that the kernel has taken from us so far.
    pub fn written(&self) -> u64 {
        self.written.get()
    }

    pub(super) fn count_written(&self, n: usize) {
        self.written.set(self.written.get() + n as u64);
    }

    /// Bytes of ours that the peer's TCP has not acknowledged yet; `None` where the kernel can't tell.
    pub fn unacknowledged(&self) -> Option<u32> {
        sys::unacknowledged(self.fd.get_ref().as_fd())
    }

    /// Bytes of ours that the peer's TCP has acknowledged; `None` where the kernel can't tell.
    pub fn bytes_acked(&self) -> Option<u64> {
        // Linux counts the SYN of a connection that we made as its first byte.
        Some(sys::bytes_acked(self.fd.get_ref().as_fd())?.saturating_sub(1))
    }
}

/// Less than was asked for says that the kernel has no more for now.
fn clear_if_partial(guard: &mut AsyncFdReadyGuard<'_, Arc<socket2::Socket>>, n: usize, len: usize) {
    if 0 < n && n < len {
        guard.clear_ready();
    }
}

/// How a peer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It sends no more; it may still read.
    Ended,
    /// The connection was reset or is broken.
    Failed,
}

/// What a read would give.
#[derive(Debug)]
pub enum Peek {
    /// It would wait.
    Nothing,
    /// The end of the stream.
    End,
    /// At least one byte.
    Bytes,
    /// An error.
    Failed(io::Error),
}
