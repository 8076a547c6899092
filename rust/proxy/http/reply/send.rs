//! Sending an answer of ours in the client's protocol.

use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::compose::{Composed, Form};
use super::{Reply, Shape};
use crate::pool::write_all;
use crate::protocol::http1::{LocalReply, RequestMethod, write_local_reply};
use crate::proxy::connection::Downstream;
use crate::proxy::http::admit::Facts;
use crate::proxy::http::record::Record;
use crate::runtime::clock;

/// A client that doesn't take even an error, or a piece of a longer answer, within this is gone.
pub(in crate::proxy::http) const SEND_TIME: Duration = Duration::from_secs(5);

/// Bytes that a client has to take within [`SEND_TIME`]; a body of no more goes with its head.
const PIECE: usize = 16 * 1024;

/// Sends `reply`; a gRPC-Web client reads a status of its own.
///
/// # Errors
/// The client is gone.
pub(in crate::proxy::http) async fn send(
    conn: &Downstream,
    reply: &Reply,
    shape: Shape,
    record: &mut Record,
) -> std::io::Result<()> {
    let mut out = conn.worker().take_scratch();
    let rest = compose_http1(reply, shape, record, &mut out);
    let mut written = write_piece(conn, &out).await;
    conn.worker().give_scratch(out);
    for piece in rest.chunks(PIECE) {
        if written.is_ok() {
            written = write_piece(conn, piece).await;
        }
    }
    written
}

async fn write_piece(conn: &Downstream, piece: &[u8]) -> std::io::Result<()> {
    let deadline = Some(clock::now() + SEND_TIME);
    match conn.timer.until(deadline, write_all(&conn.io, piece)).await {
        Ok(result) => result,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// Writes the head and a short body; gives a long one.
fn compose_http1(reply: &Reply, shape: Shape, record: &mut Record, out: &mut Vec<u8>) -> Bytes {
    let form = match shape.grpc_web {
        Some(call) => Form::Grpc(Some(call)),
        None => Form::Plain,
    };
    let composed = Composed::of(reply, form, record);
    let follows = write_local_reply(
        &LocalReply {
            status: composed.status,
            fields: &composed.fields,
            length: composed.body.len(),
            close: shape.close,
            head_request: shape.head_request && matches!(form, Form::Plain),
            version: shape.version,
        },
        out,
    );
    if !follows {
        return Bytes::new();
    }
    note_sent(reply, composed.body.len(), record);
    if composed.body.len() <= PIECE {
        out.extend_from_slice(&composed.body);
        return Bytes::new();
    }
    composed.body
}

/// Answers a stream with `reply`; a gRPC client reads a status of its own (docs/errors.md
/// has the table).
///
/// # Errors
/// The client is gone.
pub(in crate::proxy::http) fn send_http2(
    respond: &mut SendResponse<Bytes>,
    reply: &Reply,
    facts: Option<Facts>,
    record: &mut Record,
) -> Result<(), h2::Error> {
    let grpc = facts.filter(|facts| facts.grpc);
    let form = grpc.map_or(Form::Plain, |facts| Form::Grpc(facts.grpc_web));
    let composed = Composed::of(reply, form, record);
    let mut response = http::Response::new(());
    let status = StatusCode::from_u16(composed.status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    fill(&composed, response.headers_mut());
    let bodiless = matches!(form, Form::Grpc(_)) || matches!(composed.status, 204 | 304);
    if !bodiless {
        let length = HeaderValue::from(composed.body.len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    let is_head = facts.is_some_and(|facts| matches!(facts.method, RequestMethod::Head));
    let ends = bodiless || is_head || composed.body.is_empty();
    let mut stream = respond.send_response(response, ends)?;
    if ends {
        return Ok(());
    }
    note_sent(reply, composed.body.len(), record);
    // Where the window has no room, h2 keeps it until it has; a route's is shared, not copied.
    stream.send_data(composed.body, true)
}

/// What stands for a failure isn't counted: of a cluster's bytes it is none.
fn note_sent(reply: &Reply, length: usize, record: &mut Record) {
    if matches!(reply, Reply::Made(_)) {
        record.sent = u64::try_from(length).unwrap_or(u64::MAX);
    }
}

/// What HTTP/2 has no form for is left out.
fn fill(composed: &Composed<'_>, map: &mut HeaderMap) {
    for (name, value) in &composed.fields {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
}
