//! Making a connection to an address of a cluster: TCP, a PROXY header where one is wanted, TLS.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::net::{self, Address, proxy_protocol};
use crate::snapshot::Cluster;
use crate::tls::connect::ClientTls;
use crate::tls::io::Io;
use crate::tls::stream::TlsStream;

/// Where a connection goes, and how it begins.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// Where.
    pub address: &'a Address,
    /// The host name that it was resolved from.
    pub host: Option<&'a str>,
    /// TLS, if there is any.
    pub tls: Option<&'a Arc<ClientTls>>,
    /// Whether a handshake that agrees on another protocol than HTTP/2 has failed.
    pub only_h2: bool,
}

/// Connects as `cluster` says. The PROXY header carries `client` and our address.
///
/// # Errors
/// `UpstreamConnect` or `UpstreamTls`.
pub async fn establish(
    cluster: &Cluster,
    to: Destination<'_>,
    (client, local): (Option<SocketAddr>, Option<SocketAddr>),
) -> Result<Io, Error> {
    let socket = net::dial::dial(to.address)
        .await
        .map_err(|error| Error::io(ErrorKind::UpstreamConnect, error))?;
    if let (Some(keepalive), Some(_)) = (&cluster.keepalive, to.address.ip()) {
        let set = socket.keep_alive(keepalive);
        set.map_err(|error| Error::io(ErrorKind::UpstreamConnect, error))?;
    }
    let Some(version) = cluster.wire.proxy_protocol else {
        return secure(to, socket).await;
    };
    let mut header = Vec::new();
    proxy_protocol::write(version, client, local, &mut header);
    let io = Io::Plain(socket);
    write_all(&io, &header)
        .await
        .map_err(|error| Error::io(ErrorKind::UpstreamConnect, error))?;
    let Io::Plain(socket) = io else {
        return Err(ErrorKind::UpstreamConnect.into());
    };
    secure(to, socket).await
}

async fn secure(to: Destination<'_>, socket: net::Socket) -> Result<Io, Error> {
    let Some(tls) = to.tls else {
        return Ok(Io::Plain(socket));
    };
    let ip = to.address.ip().map(|address| address.ip());
    let Some(name) = tls.name_for(to.host, ip) else {
        return Err(ErrorKind::UpstreamTls.into());
    };
    let stream = TlsStream::connect(socket, tls, name)
        .await
        .map_err(|error| Error::io(ErrorKind::UpstreamTls, error))?;
    if to.only_h2 && stream.alpn().is_some_and(|chosen| chosen != b"h2") {
        return Err(ErrorKind::UpstreamTls.into());
    }
    Ok(Io::Tls(Box::new(stream)))
}

/// Writes all of `bytes` and flushes.
///
/// # Errors
/// What writing says.
pub async fn write_all(io: &Io, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = poll_fn(|cx| io.poll_write(cx, bytes, &[])).await?;
        if n == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
    }
    poll_fn(|cx| io.poll_flush(cx)).await
}
