//! One downstream connection: who is there, what it speaks, and whom to hand it to.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use super::listener::{Current, ListenerRun};
use super::worker::{Open, Worker};
use super::{http, tcp};
use crate::net::{Socket, proxy_protocol};
use crate::protocol::detect::{Detected, detect};
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;
use crate::runtime::timer::Timer;
use crate::snapshot::Place;
use crate::tls::hello::{Sniffed, sniff};
use crate::tls::identity::Identity;
use crate::tls::io::Io;
use crate::tls::stream::TlsStream;
use crate::wire::listener::Protocol;

/// A downstream connection.
#[derive(Debug)]
pub struct Downstream {
    /// The worker's count of it.
    pub open: Open,
    /// Where it was accepted.
    pub listener: Rc<ListenerRun>,
    /// Its bytes.
    pub io: Io,
    /// Who calls; a PROXY header's source where one was demanded.
    pub peer: Option<SocketAddr>,
    /// The same as text, for `X-Forwarded-For`.
    pub peer_ip: String,
    /// What the client's certificate proved.
    pub identity: Option<Box<Identity>>,
    /// The name that the client's TLS hello asked for.
    pub sni: Option<Box<str>>,
    /// Its deadlines.
    pub timer: Timer,
    _place: Place,
}

impl Downstream {
    /// The worker that serves it.
    pub fn worker(&self) -> &Rc<Worker> {
        self.open.worker()
    }

    /// Whether TLS carries it.
    pub fn is_tls(&self) -> bool {
        matches!(self.io, Io::Tls(_))
    }

    /// Whether it should end after what it carries now.
    pub fn should_close(&self) -> bool {
        self.worker().draining().is_some() || self.listener.is_gone()
    }
}

/// Serves an accepted connection in a task of its own.
pub fn spawn(
    worker: &Rc<Worker>,
    listener: &Rc<ListenerRun>,
    accepted: (Socket, Option<SocketAddr>),
    place: Place,
) {
    let open = worker.enter();
    let listener = Rc::clone(listener);
    tokio::task::spawn_local(serve(open, listener, accepted, place));
}

async fn serve(
    open: Open,
    listener: Rc<ListenerRun>,
    (socket, peer): (Socket, Option<SocketAddr>),
    place: Place,
) {
    let current = listener.current();
    let mut conn = Downstream {
        open,
        listener,
        io: Io::Plain(socket),
        peer,
        peer_ip: String::new(),
        identity: None,
        sni: None,
        timer: Timer::default(),
        _place: place,
    };
    let wire = &current.listener.wire;
    let mut first = None;
    if wire.proxy_protocol || wire.tls.is_some() || wire.protocol != Protocol::Http {
        // Boxed: most connections never come here, and none stays.
        match Box::pin(prepare(&mut conn, &current)).await {
            Ok(read) => first = read,
            Err(_) => return,
        }
    }
    conn.peer_ip = conn.peer.map_or_else(String::new, |peer| peer.ip().to_string());
    let protocol = match (wire.protocol, &first) {
        (Protocol::Auto, Some(First { kind: Detected::Http1, .. })) => Protocol::Http,
        (protocol, _) => protocol,
    };
    drop(current);
    match protocol {
        Protocol::Http => http::serve(&conn, first.map(|first| first.bytes)).await,
        _ => Box::pin(tcp::serve(&conn, first.map(|first| first.bytes))).await,
    }
}

/// What was read to find out what the connection is.
struct First {
    bytes: Buffer,
    kind: Detected,
}

/// PROXY header, TLS handshake, sniffing: everything before the first byte of the application.
async fn prepare(conn: &mut Downstream, current: &Current) -> io::Result<Option<First>> {
    let listener = &current.listener;
    let deadline = listener.header_timeout.map(|wait| clock::now() + wait);
    let mut read = None;
    if listener.wire.proxy_protocol {
        let mut buffer = conn.worker().buffers.lend();
        conn.peer = read_proxy_header(conn, &mut buffer, deadline).await?.or(conn.peer);
        read = (!buffer.is_empty()).then_some(buffer);
    }
    if let Some(tls) = &listener.tls {
        accept_tls(conn, std::sync::Arc::clone(tls), read.take(), deadline).await?;
    }
    if matches!(listener.wire.protocol, Protocol::Auto | Protocol::TlsPassthrough) {
        let buffer = read.unwrap_or_else(|| conn.worker().buffers.lend());
        return sniff_first(conn, buffer, deadline).await.map(Some);
    }
    Ok(read.map(|bytes| First { bytes, kind: Detected::Other }))
}

async fn accept_tls(
    conn: &mut Downstream,
    tls: std::sync::Arc<crate::tls::accept::ServerTls>,
    read: Option<Buffer>,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let plain = std::mem::replace(&mut conn.io, Io::Closed);
    let Io::Plain(socket) = plain else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let stats = std::sync::Arc::clone(&conn.listener.stats);
    stats.tls_handshakes_total.increment();
    let already = read.as_deref().unwrap_or_default();
    let accepting = TlsStream::accept(socket, std::sync::Arc::clone(&tls.config), already);
    let accepted = match conn.timer.until(deadline, accepting).await {
        Ok(accepted) => accepted,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let stream = accepted.inspect_err(|_| stats.tls_errors_total.increment())?;
    conn.sni = stream.sni().map(Box::from);
    if tls.mutual {
        conn.identity = stream.peer_identity().map(Box::new);
    }
    conn.io = Io::Tls(Box::new(stream));
    Ok(())
}

/// Reads more into `buffer` until the deadline.
async fn read_more(
    conn: &Downstream,
    buffer: &mut Buffer,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let read = poll_fn(|cx| conn.io.poll_read(cx, buffer.room()));
    let n = conn.timer.until(deadline, read).await.map_err(|_| io::ErrorKind::TimedOut)??;
    if n == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    buffer.filled(n);
    Ok(())
}

async fn read_proxy_header(
    conn: &Downstream,
    buffer: &mut Buffer,
    deadline: Option<Instant>,
) -> io::Result<Option<SocketAddr>> {
    loop {
        match proxy_protocol::parse(buffer) {
            proxy_protocol::Parsed::Header { len, source, .. } => {
                buffer.consume(len);
                return Ok(source);
            }
            proxy_protocol::Parsed::Refused(_) => {
                conn.listener.stats.bad_requests_total.increment();
                return Err(io::ErrorKind::InvalidData.into());
            }
            proxy_protocol::Parsed::NeedMore => read_more(conn, buffer, deadline).await?,
        }
    }
}

/// Reads until it is clear what is spoken; a TLS hello is read whole for its SNI.
async fn sniff_first(
    conn: &mut Downstream,
    mut buffer: Buffer,
    deadline: Option<Instant>,
) -> io::Result<First> {
    loop {
        let kind = if buffer.is_empty() { Detected::NeedMore } else { detect(&buffer) };
        match kind {
            Detected::NeedMore => {}
            Detected::Tls => match sniff(&buffer) {
                Sniffed::NeedMore => {}
                Sniffed::Hello(hello) => {
                    conn.sni = hello.sni.map(|name| Box::from(&*name));
                    return Ok(First { bytes: buffer, kind: Detected::Tls });
                }
                Sniffed::NotTls => return Ok(First { bytes: buffer, kind: Detected::Other }),
                Sniffed::Malformed(_) => return Err(io::ErrorKind::InvalidData.into()),
            },
            kind => return Ok(First { bytes: buffer, kind }),
        }
        read_more(conn, &mut buffer, deadline).await?;
    }
}
