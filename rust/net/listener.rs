//! Listening sockets: one per worker on the same port, bound so that a second proxy is refused.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::net::SocketFlags;
use socket2::{Domain, Protocol, SockAddr, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Address, sys};

/// Connections that wait in the kernel for us to accept them; the kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4096;

/// Binds `count` sockets to `address`; a unix socket is bound once and shared.
///
/// The first bind is exclusive (no `SO_REUSEPORT`), so that a port that somebody else serves is an
/// error instead of shared traffic.
///
/// # Errors
/// What `bind` and `listen` say; `AddrInUse` also for a unix socket that somebody answers on.
pub fn bind(address: &Address, count: usize) -> io::Result<Vec<OwnedFd>> {
    match address {
        Address::Ip(ip) if ip.port() == 0 => {
            // The kernel chooses the port for the first; the others share it.
            let first = open(address, true)?;
            let chosen = first.local_addr()?.as_socket().map_or(*ip, |bound| bound);
            let mut sockets = vec![first.into()];
            more(&Address::Ip(chosen), count, &mut sockets)?;
            Ok(sockets)
        }
        Address::Ip(_) => {
            drop(open(address, false)?);
            let mut sockets = Vec::with_capacity(count);
            more(address, count, &mut sockets)?;
            Ok(sockets)
        }
        Address::Unix(path) => {
            remove_stale(path)?;
            let first: OwnedFd = open(address, false)?.into();
            let mut sockets = vec![first];
            while sockets.len() < count {
                sockets.push(sockets[0].try_clone()?);
            }
            Ok(sockets)
        }
    }
}

/// Adds sockets of the same port until there are `count`.
///
/// # Errors
/// What `bind` and `listen` say.
pub fn more(address: &Address, count: usize, sockets: &mut Vec<OwnedFd>) -> io::Result<()> {
    while sockets.len() < count {
        let socket = match (address, sockets.first()) {
            (Address::Unix(_), Some(first)) => first.try_clone()?,
            _ => open(address, true)?.into(),
        };
        sockets.push(socket);
    }
    Ok(())
}

fn open(address: &Address, reuse_port: bool) -> io::Result<socket2::Socket> {
    let (domain, protocol) = match address {
        Address::Ip(ip) => (Domain::for_address(*ip), Some(Protocol::TCP)),
        Address::Unix(_) => (Domain::UNIX, None),
    };
    let socket = socket2::Socket::new(domain, Type::STREAM.nonblocking().cloexec(), protocol)?;
    if protocol.is_some() {
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        // Accepted sockets inherit it: one call less per connection.
        socket.set_tcp_nodelay(true)?;
    }
    socket.bind(&address.to_sock_addr()?)?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// A unix socket file that nobody answers on is left over from a process that died.
fn remove_stale(path: &std::path::Path) -> io::Result<()> {
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Err(_) => Ok(()),
    }
}

/// The address that a listening socket is bound to.
///
/// # Errors
/// What `getsockname` says.
pub fn bound_address(fd: &OwnedFd) -> io::Result<Address> {
    let address = socket2::SockRef::from(fd).local_addr()?;
    address
        .as_socket()
        .map(Address::Ip)
        .or_else(|| {
            address
                .as_pathname()
                .map(|path| Address::Unix(path.to_owned()))
        })
        .ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// A listening socket in a worker's runtime.
#[derive(Debug)]
pub struct Acceptor {
    fd: AsyncFd<OwnedFd>,
}

/// What `accept` gave.
#[derive(Debug)]
pub enum Accepted {
    /// A connection and who made it (`None` on unix sockets).
    Connection(socket2::Socket, Option<std::net::SocketAddr>),
    /// The connection was gone before it was taken; the next may be there.
    Gone,
    /// No descriptor or memory is left: wait before the next try.
    Exhausted(io::Error),
}

impl Acceptor {
    /// Takes a non-blocking listening socket into the current runtime.
    ///
    /// # Errors
    /// What `epoll_ctl` says.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self {
            fd: sys::watch(fd, Interest::READABLE)?,
        })
    }

    /// The same number for every copy of the socket (`SO_COOKIE`).
    pub fn id(&self) -> u64 {
        rustix::net::sockopt::socket_cookie(self.fd.get_ref()).unwrap_or_default()
    }

    /// Takes the next connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(cx))?;
            match self.accept_now() {
                Some(accepted) => return Poll::Ready(Ok(accepted)),
                None => guard.clear_ready(),
            }
        }
    }

    /// Takes a connection that already waits; `None` when none does.
    pub fn accept_now(&self) -> Option<Accepted> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match rustix::net::acceptfrom_with(self.fd.get_ref().as_fd(), flags) {
            Ok((fd, peer)) => {
                let peer = peer.and_then(|peer| std::net::SocketAddr::try_from(peer).ok());
                Some(Accepted::Connection(fd.into(), peer))
            }
            Err(Errno::AGAIN) => None,
            Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                Some(Accepted::Exhausted(error.into()))
            }
            // accept(2): pending network errors of the new socket are reported here.
            Err(_) => Some(Accepted::Gone),
        }
    }
}

/// Whether `fd` is a listening stream socket, as a takeover must be.
pub fn is_listening(fd: &OwnedFd) -> bool {
    let socket = socket2::SockRef::from(fd);
    socket.is_listener().unwrap_or(false)
        && socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
        && socket
            .local_addr()
            .is_ok_and(|address: SockAddr| address.family() != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_served_port_is_refused_even_to_reuse_port() {
        let first = bind(&Address::Ip("127.0.0.1:0".parse().unwrap()), 2).unwrap();
        let address = bound_address(&first[0]).unwrap();
        assert_eq!(address, bound_address(&first[1]).unwrap());
        assert_eq!(
            bind(&address, 1).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(first);
        bind(&address, 2).unwrap();
    }
}
