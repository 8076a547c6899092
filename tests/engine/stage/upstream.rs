//! An upstream whose connections the test takes one by one.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::PATIENCE;
use super::peer::Peer;

/// A listening socket.
pub(crate) struct Upstream {
    listener: TcpListener,
}

impl Upstream {
    pub(crate) fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    /// Its connections take a few thousand bytes before they are read.
    pub(crate) fn with_small_window() -> Self {
        let upstream = Self::new();
        socket2::SockRef::from(&upstream.listener)
            .set_recv_buffer_size(4096)
            .unwrap();
        upstream
    }

    /// Its queue is full, so that a connect is neither accepted nor refused; the connections that
    /// fill it go with the second value.
    pub(crate) fn deaf() -> (Self, Vec<socket2::Socket>) {
        let upstream = Self::new();
        socket2::SockRef::from(&upstream.listener)
            .listen(0)
            .unwrap();
        let address = upstream.socket_addr().into();
        let fill = || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
            let socket = socket.unwrap();
            socket.set_nonblocking(true).unwrap();
            // In progress is all that it can say.
            let _ = socket.connect(&address);
            socket
        };
        let filling = std::iter::repeat_with(fill).take(4).collect();
        (upstream, filling)
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    pub(crate) fn socket_addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Takes the next connection.
    #[track_caller]
    pub(crate) fn accept(&self) -> Peer {
        let wait = Timespec::try_from(PATIENCE).unwrap();
        let mut fds = [PollFd::from_borrowed_fd(
            self.listener.as_fd(),
            PollFlags::IN,
        )];
        assert_eq!(poll(&mut fds, Some(&wait)), Ok(1), "nobody connects");
        Peer::plain(self.listener.accept().unwrap().0)
    }

    /// Takes the next connection to any of `upstreams`, and says whose it was.
    #[track_caller]
    pub(crate) fn accept_any(upstreams: &[Self]) -> (usize, Peer) {
        let wait = Timespec::try_from(PATIENCE).unwrap();
        let mut fds: Vec<PollFd<'_>> = upstreams
            .iter()
            .map(|upstream| PollFd::from_borrowed_fd(upstream.listener.as_fd(), PollFlags::IN))
            .collect();
        assert_eq!(
            poll(&mut fds, Some(&wait)),
            Ok(1),
            "nobody connects, or two at once"
        );
        let ready = |fd: &PollFd<'_>| fd.revents().contains(PollFlags::IN);
        let index = fds.iter().position(ready).unwrap();
        (index, upstreams[index].accept())
    }

    /// Checks that no connection waits to be taken.
    #[track_caller]
    pub(crate) fn is_untouched(&self) {
        let mut fds = [PollFd::from_borrowed_fd(
            self.listener.as_fd(),
            PollFlags::IN,
        )];
        assert_eq!(
            poll(&mut fds, Some(&Timespec::default())),
            Ok(0),
            "somebody connected"
        );
    }
}

/// An address where connects are refused. It stays bound to the process' end, so that no other test
/// gets it.
pub(crate) fn nobody() -> String {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address.to_string()
}
