//! One end of a connection, a client's or an upstream's.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;
use super::message::{Message, fields};

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A connection that is read and written by hand.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    socket: TcpStream,
    pending: Vec<u8>,
}

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::plain(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
    }

    /// Checks that a connection is reset, be it already while it is made.
    #[track_caller]
    pub(crate) fn is_turned_away(address: SocketAddr) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => Self::plain(socket).is_cut(),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }

    pub(crate) fn plain(socket: TcpStream) -> Self {
        let stream = socket.try_clone().unwrap();
        Self::over(socket, stream)
    }

    /// TLS as a client; `None` where the other side refuses the handshake.
    pub(crate) fn tls(self, config: &rustls::ClientConfig, name: &str) -> io::Result<Self> {
        let config = std::sync::Arc::new(config.clone());
        let name = name.to_owned().try_into().expect("a server name");
        let mut tls = rustls::ClientConnection::new(config, name).unwrap();
        let mut stream = self.socket.try_clone().unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Self::over(
            self.socket,
            rustls::StreamOwned::new(tls, stream),
        ))
    }

    /// TLS as a server.
    pub(crate) fn accept_tls(self, config: &rustls::ServerConfig) -> io::Result<Self> {
        let config = std::sync::Arc::new(config.clone());
        let mut tls = rustls::ServerConnection::new(config).unwrap();
        let mut stream = self.socket.try_clone().unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Self::over(
            self.socket,
            rustls::StreamOwned::new(tls, stream),
        ))
    }

    fn over(socket: TcpStream, stream: impl Stream + 'static) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            stream: Box::new(stream),
            socket,
            pending: Vec::new(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the other side reads");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends a GET for `path` of the host `test`.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
    }

    /// Answers 200 with this body.
    #[track_caller]
    pub(crate) fn answer(&mut self, body: &str) {
        let len = body.len();
        self.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n{body}"
        ));
    }

    fn more(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let n = self.stream.read(&mut buffer)?;
        self.pending.extend_from_slice(&buffer[..n]);
        Ok(n)
    }

    fn through(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            let found = self.pending.windows(mark.len()).position(|at| at == mark);
            if let Some(at) = found {
                return Ok(self.pending.drain(..at + mark.len()).collect());
            }
            if self.more()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads a head alone.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Message {
        Message::of_head(&self.try_head().expect("a head"))
    }

    fn try_head(&mut self) -> io::Result<Vec<u8>> {
        self.through(b"\r\n\r\n")
    }

    /// Reads a message that frames itself by length or chunks.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Message {
        self.try_message().expect("a message")
    }

    /// The same; an error where the connection ends before it.
    pub(crate) fn try_message(&mut self) -> io::Result<Message> {
        let mut message = Message::of_head(&self.try_head()?);
        if message.is_chunked() {
            while self.chunk(&mut message.body)? {}
            let trailers = String::from_utf8(self.trailers()?).unwrap();
            message.trailers = fields(trailers.split("\r\n"));
        } else if let Some(length) = message.length() {
            message.body = self.try_exactly(length)?;
        }
        Ok(message)
    }

    /// What follows the last chunk, its blank line included.
    fn trailers(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while all != b"\r\n" && !all.ends_with(b"\r\n\r\n") {
            all.extend(self.through(b"\r\n")?);
        }
        Ok(all)
    }

    fn chunk(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let line = String::from_utf8(self.through(b"\r\n")?).unwrap();
        let size = usize::from_str_radix(line.trim_end(), 16).expect("a chunk size alone");
        if size == 0 {
            return Ok(false);
        }
        body.extend(self.try_exactly(size)?);
        assert_eq!(self.try_exactly(2)?, b"\r\n");
        Ok(true)
    }

    #[track_caller]
    pub(crate) fn exactly(&mut self, len: usize) -> Vec<u8> {
        self.try_exactly(len).expect("as many bytes")
    }

    fn try_exactly(&mut self, len: usize) -> io::Result<Vec<u8>> {
        while self.pending.len() < len {
            if self.more()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.pending.drain(..len).collect())
    }

    /// All up to the end of the stream.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.more()? > 0 {}
        Ok(std::mem::take(&mut self.pending))
    }

    /// Checks that the stream ends cleanly, with nothing more in it.
    #[track_caller]
    pub(crate) fn ends(&mut self) {
        let rest = self.rest().expect("a clean end");
        assert!(
            rest.is_empty(),
            "before the end: {:?}",
            String::from_utf8_lossy(&rest)
        );
    }

    /// Checks that the connection is cut: what came is incomplete and visibly so.
    #[track_caller]
    pub(crate) fn is_cut(&mut self) {
        let error = self.rest().expect_err("a reset, not a clean end");
        let cut = [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof];
        assert!(cut.contains(&error.kind()), "{error}");
    }

    /// Checks that the other side has gone, however it went.
    #[track_caller]
    pub(crate) fn is_left(&mut self) {
        match self.rest() {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }

    pub(crate) fn half_close(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with RST.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}
