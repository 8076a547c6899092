//! TLS over a socket, driven by readiness through a shared reference.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::{
    CertificateError, ClientConnection, Connection, HandshakeKind, ServerConfig, ServerConnection,
};
use rustls_pki_types::ServerName;

use super::connect::ClientTls;
use super::identity::Identity;
use super::session::Session;
use crate::net::Socket;

/// A TLS connection over a socket. One task may read while another writes, on one thread.
pub struct TlsStream {
    socket: Socket,
    session: RefCell<Session>,
    proved: Box<Proved>,
}

/// What a handshake has agreed on and proved.
#[derive(Debug)]
struct Proved {
    identity: Option<Identity>,
    alpn: Option<Vec<u8>>,
    sni: Option<String>,
    resumed: bool,
}

impl TlsStream {
    /// Ends TLS on an accepted socket, of which `already_read` has been read.
    pub async fn accept(
        socket: Socket,
        config: Arc<ServerConfig>,
        already_read: &[u8],
    ) -> io::Result<Self> {
        let time = Arc::clone(&config.time_provider);
        let conn = ServerConnection::new(config).map_err(io::Error::other)?;
        let stream = Self::handshake(socket, Session::new(conn.into(), already_read)).await?;
        // A ticket may outlive the certificate that was verified when it was issued.
        let expired = stream.identity().is_some_and(|identity| {
            let now = time.current_time().map_or(u64::MAX, |now| now.as_secs());
            u64::try_from(identity.not_after()).unwrap_or(0) < now
        });
        if expired {
            let error = rustls::Error::InvalidCertificate(CertificateError::Expired);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(stream)
    }

    /// Begins TLS on a connected socket. `name` is the endpoint's, used where `tls` has none.
    pub async fn connect(
        socket: Socket,
        tls: &ClientTls,
        name: ServerName<'static>,
    ) -> io::Result<Self> {
        let name = tls.server_name.clone().unwrap_or(name);
        let conn =
            ClientConnection::new(Arc::clone(&tls.config), name).map_err(io::Error::other)?;
        Self::handshake(socket, Session::new(conn.into(), &[])).await
    }

    async fn handshake(socket: Socket, mut session: Session) -> io::Result<Self> {
        poll_fn(|cx| {
            poll(session.handshake(&mut Transport {
                socket: &socket,
                cx,
            }))
        })
        .await?;
        Ok(Self {
            proved: Box::new(Proved::of(&session.conn)),
            socket,
            session: RefCell::new(session),
        })
    }

    /// Reads decrypted bytes; 0 is the peer's clean end. An end without `close_notify` is
    /// `UnexpectedEof`, so that a truncation stays visible.
    pub fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut session = self.session.borrow_mut();
        poll(session.read(&mut self.transport(cx), buf))
    }

    /// Ready when a read may find something: decrypted already, or bytes in the socket.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.session.borrow().holds_input() {
            return Poll::Ready(Ok(()));
        }
        self.socket.poll_readable(cx)
    }

    /// Takes what there is room for. It may wait here encrypted; `poll_flush` sends the rest.
    pub fn poll_write(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut session = self.session.borrow_mut();
        poll(session.write(&mut self.transport(cx), bufs))
    }

    /// Writes all that was taken.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut session = self.session.borrow_mut();
        poll(session.flush(&mut self.transport(cx)))
    }

    /// Says `close_notify`, then sends FIN; reading goes on.
    pub fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.borrow_mut().close();
        ready!(self.poll_flush(cx))?;
        Poll::Ready(self.socket.shutdown_write())
    }

    /// The socket below, for addresses and options; its bytes are the session's.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Whom the peer's certificate names; `None` where it showed none, or a nameless one.
    pub fn identity(&self) -> Option<&Identity> {
        self.proved.identity.as_ref()
    }

    /// The application protocol agreed on.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.proved.alpn.as_deref()
    }

    /// The host name that the client asked for, in lower case; `None` on our own side of it.
    pub fn sni(&self) -> Option<&str> {
        self.proved.sni.as_deref()
    }

    /// Whether an earlier session was resumed.
    pub fn resumed(&self) -> bool {
        self.proved.resumed
    }

    fn transport<'a, 'c, 'w>(&'a self, cx: &'c mut Context<'w>) -> Transport<'a, 'c, 'w> {
        Transport {
            socket: &self.socket,
            cx,
        }
    }
}

impl Proved {
    fn of(conn: &Connection) -> Self {
        let sni = match conn {
            Connection::Server(server) => server.server_name(),
            Connection::Client(_) => None,
        };
        Self {
            identity: conn
                .peer_certificates()
                .and_then(|chain| Identity::from_peer(chain).ok()),
            alpn: conn.alpn_protocol().map(<[u8]>::to_vec),
            sni: sni.map(str::to_ascii_lowercase),
            resumed: conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// A socket as rustls wants it: `WouldBlock` has registered the task.
struct Transport<'a, 'c, 'w> {
    socket: &'a Socket,
    cx: &'c mut Context<'w>,
}

impl Read for Transport<'_, '_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        unpoll(self.socket.poll_read(self.cx, buf))
    }
}

impl Write for Transport<'_, '_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        unpoll(self.socket.poll_write(self.cx, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        unpoll(self.socket.poll_write_vectored(self.cx, bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unpoll(result: Poll<io::Result<usize>>) -> io::Result<usize> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
