//! One client connection, plain or TLS, with a dialer that knows where it goes.

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::tally::{Failure, Kind};
use crate::trickle::{Cuts, Trickle};

/// One read of encrypted bytes; sixteen records of 16 KiB and their heads.
const RAW_BYTES: usize = 16 * (16_384 + 22);
/// Plain text is encrypted in pieces of one record.
const RECORD: usize = 16_384;

/// Where connections go and what they speak.
pub(crate) struct Dialer {
    pub(crate) target: SocketAddr,
    pub(crate) sources: u8,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) turn: Cell<u8>,
    pub(crate) cuts: Option<Cuts>,
}

/// A connection that is ready for requests.
pub(crate) enum Stream {
    Plain(TcpStream),
    Trickled(Trickle),
    Tls(Box<TlsStream>),
}

/// A TLS session and the encrypted bytes that it hasn't taken yet.
pub(crate) struct TlsStream {
    tcp: TcpStream,
    session: ClientConnection,
    raw: Vec<u8>,
    start: usize,
    end: usize,
    out: Vec<u8>,
}

impl Dialer {
    /// Connects, and shakes hands where TLS is asked for.
    pub(crate) async fn dial(&self) -> Result<Stream, Failure> {
        let connect = |error: io::Error| Failure::new(Kind::Connect, error);
        let tcp = self.connect().await.map_err(connect)?;
        tcp.set_nodelay(true).map_err(connect)?;
        let Some((config, name)) = &self.tls else {
            return Ok(match &self.cuts {
                None => Stream::Plain(tcp),
                Some(cuts) => Stream::Trickled(Trickle::new(tcp, cuts.next())),
            });
        };
        let session = ClientConnection::new(Arc::clone(config), name.clone())
            .map_err(|error| Failure::new(Kind::Tls, error))?;
        let mut stream = TlsStream {
            tcp,
            session,
            raw: vec![0; RAW_BYTES],
            start: 0,
            end: 0,
            out: Vec::new(),
        };
        stream
            .handshake()
            .await
            .map_err(|error| Failure::new(Kind::Tls, error))?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        if self.sources == 0 {
            return TcpStream::connect(self.target).await;
        }
        let turn = self.turn.get();
        self.turn.set((turn + 1) % self.sources);
        // 127.0.0.1 is left to the proxy's own connections.
        let source = IpAddr::V4(Ipv4Addr::new(127, 0, 0, turn.saturating_add(2)));
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source, 0))?;
        socket.connect(self.target).await
    }
}

impl Stream {
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes).await,
            Self::Trickled(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => stream.send(bytes).await,
        }
    }

    /// Bytes of an answer; 0 at its end.
    pub(crate) async fn recv(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(into).await,
            Self::Trickled(stream) => stream.read(into).await,
            Self::Tls(stream) => stream.recv(into).await,
        }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Trickled(stream) => stream.socket(),
            Self::Tls(stream) => &stream.tcp,
        }
    }

    /// Says goodbye as TLS wants it; a plain connection just ends.
    pub(crate) async fn close(mut self) {
        if let Self::Tls(stream) = &mut self {
            stream.session.send_close_notify();
            // The peer may be gone already, and then nobody needs the farewell.
            let _ = stream.flush().await;
        }
    }
}

impl TlsStream {
    async fn handshake(&mut self) -> io::Result<()> {
        while self.session.is_handshaking() {
            self.flush().await?;
            if self.session.is_handshaking() && !self.take_encrypted().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.flush().await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(RECORD) {
            self.session.writer().write_all(piece)?;
            self.flush().await?;
        }
        Ok(())
    }

    async fn recv(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if !self.take_encrypted().await? {
                return Ok(0);
            }
        }
    }

    /// Feeds the session once, from what is left or from the socket; false at the end of the stream.
    async fn take_encrypted(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.tcp.read(&mut self.raw).await?;
        }
        let mut left = self.raw.get(self.start..self.end).unwrap_or_default();
        let taken = self.session.read_tls(&mut left)?;
        self.start += taken;
        self.session
            .process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(taken > 0)
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.out.clear();
            self.session.write_tls(&mut self.out)?;
            self.tcp.write_all(&self.out).await?;
        }
        Ok(())
    }
}
