//! What lies before the first byte of the application: PROXY header, TLS handshake, sniffing.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::connection::Downstream;
use super::early::{self, Early};
use super::listener::Current;
use crate::error::ErrorKind;
use crate::net::proxy_protocol;
use crate::protocol::detect::{Detected, detect};
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;
use crate::tls::accept::ServerTls;
use crate::tls::hello::{Sniffed, sniff};
use crate::tls::io::Io;
use crate::tls::stream::TlsStream;
use crate::wire::listener::Protocol;

/// What was read to find out what the connection is.
#[derive(Debug)]
pub struct First {
    /// The bytes, which the application has not seen yet.
    pub bytes: Buffer,
    /// What they are.
    pub kind: Detected,
    /// The upstream, where it spoke before the client did.
    pub early: Option<Box<Early>>,
}

/// Reads and answers what comes before the application, all within the listener's header timeout.
///
/// # Errors
/// The connection is to be closed without another byte.
pub async fn prepare(
    mut conn: Downstream,
    current: &Current,
) -> io::Result<(Downstream, Option<First>)> {
    let listener = &current.listener;
    let deadline = listener.header_timeout.map(|wait| clock::now() + wait);
    let mut read = None;
    if listener.wire.proxy_protocol {
        let mut buffer = conn.worker().buffers.lend();
        conn.peer = read_proxy_header(&conn, &mut buffer, deadline)
            .await?
            .or(conn.peer);
        read = (!buffer.is_empty()).then_some(buffer);
    }
    if let Some(tls) = &listener.tls {
        conn = accept_tls(conn, tls, read.take(), deadline).await?;
    }
    if matches!(
        listener.wire.protocol,
        Protocol::Auto | Protocol::TlsPassthrough
    ) {
        let buffer = read.unwrap_or_else(|| conn.worker().buffers.lend());
        let first = sniff_first(&mut conn, buffer, deadline).await?;
        return Ok((conn, Some(first)));
    }
    Ok((
        conn,
        read.map(|bytes| First {
            bytes,
            kind: Detected::Other,
            early: None,
        }),
    ))
}

async fn accept_tls(
    conn: Downstream,
    tls: &Arc<ServerTls>,
    read: Option<Buffer>,
    deadline: Option<Instant>,
) -> io::Result<Downstream> {
    let Downstream {
        io: Io::Plain(socket),
        timer,
        listener,
        ..
    } = conn
    else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let already = read.as_deref().unwrap_or_default();
    let accepting = TlsStream::accept(socket, Arc::clone(&tls.config), already);
    let accepted = match timer.until(deadline, accepting).await {
        Ok(accepted) => accepted,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let stream = accepted.inspect_err(|_| {
        listener.stats.tls_errors_total.increment();
        listener
            .stats
            .local_replies
            .record(ErrorKind::DownstreamTls);
    })?;
    listener.stats.tls_handshakes_total.increment();
    Ok(Downstream {
        sni: stream.sni().map(Box::from),
        identity: stream
            .identity()
            .filter(|_| tls.mutual)
            .cloned()
            .map(Box::new),
        io: Io::Tls(Box::new(stream)),
        old_at: conn.old_at,
        timer,
        listener,
        open: conn.open,
        peer: conn.peer,
        peer_ip: conn.peer_ip,
        place: conn.place,
    })
}

/// Reads more into `buffer` until the deadline.
async fn read_more(
    conn: &Downstream,
    buffer: &mut Buffer,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let read = poll_fn(|cx| conn.io.poll_read(cx, buffer.room()));
    let n = conn
        .timer
        .until(deadline, read)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
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
    if buffer.is_empty()
        && let Some(early) = first_word(conn, &mut buffer, deadline).await?
    {
        return Ok(First {
            bytes: buffer,
            kind: Detected::Other,
            early: Some(Box::new(early)),
        });
    }
    loop {
        let kind = if buffer.is_empty() {
            Detected::NeedMore
        } else {
            detect(&buffer)
        };
        match kind {
            Detected::NeedMore => {}
            Detected::Tls => match sniff(&buffer) {
                Sniffed::NeedMore => {}
                Sniffed::Hello(hello) => {
                    conn.sni = hello.sni.map(Box::from);
                    return Ok(First {
                        bytes: buffer,
                        kind: Detected::Tls,
                        early: None,
                    });
                }
                Sniffed::NotTls => {
                    return Ok(First {
                        bytes: buffer,
                        kind: Detected::Other,
                        early: None,
                    });
                }
                Sniffed::Malformed(_) => return Err(io::ErrorKind::InvalidData.into()),
            },
            kind => {
                return Ok(First {
                    bytes: buffer,
                    kind,
                    early: None,
                });
            }
        }
        read_more(conn, &mut buffer, deadline).await?;
    }
}

/// Waits for the first bytes of either side: the client's go into `buffer`, a server that was first
/// is given back. On a `tls_passthrough` listener the client has to begin.
async fn first_word(
    conn: &Downstream,
    buffer: &mut Buffer,
    deadline: Option<Instant>,
) -> io::Result<Option<Early>> {
    let current = conn.listener.current();
    if current.listener.wire.protocol != Protocol::Auto {
        return Ok(None);
    }
    drop(current);
    tokio::select! {
        biased;
        read = read_more(conn, buffer, deadline) => read.map(|()| None),
        early = early::greeted(conn) => Ok(Some(early)),
    }
}
