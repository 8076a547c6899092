//! What follows a 101 or an accepted CONNECT: bytes both ways until both sides have ended.

use std::cell::RefCell;

use super::exchange::Done;
use crate::error::{Error, ErrorKind};
use crate::pool::write_all;
use crate::pool::{InFlight, Upstream};
use crate::proxy::connection::Downstream;
use crate::proxy::http::record::Record;
use crate::proxy::tcp;
use crate::runtime::buffers::Buffer;

/// RFC 9110 §9.3.6: any 2xx opens the tunnel, and it has no body.
pub(in crate::proxy::http) const CONNECTED: &[u8] = b"HTTP/1.1 200 Connection Established\r\n\r\n";

/// Tells the client of a CONNECT that its tunnel is open.
pub(super) async fn connected(
    conn: &Downstream,
    (flight, upstream): (InFlight, Upstream),
    from_client: Option<Buffer>,
    record: &RefCell<Record>,
) -> Result<Done, Error> {
    record.borrow_mut().answered(200);
    write_all(&conn.io, CONNECTED)
        .await
        .map_err(|error| Error::io(ErrorKind::DownstreamClosed, error))?;
    Ok(Done::Tunnel {
        flight,
        upstream,
        from_client,
        from_upstream: None,
    })
}

/// Copies until both have ended.
pub(super) async fn run(
    conn: &Downstream,
    upstream: Upstream,
    (from_client, from_upstream): (Option<Buffer>, Option<Buffer>),
    record: &mut Record,
) {
    let (up, down) = tcp::relay(conn, &upstream.io, from_client, from_upstream).await;
    record.received += up;
    record.sent += down;
}
