//! Answers that the proxy makes itself.

use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::super::connection::Downstream;
use super::super::upstream::write_all;
use super::admit::Facts;
use super::record::Record;
use crate::error::ErrorKind;
use crate::protocol::grpc;
use crate::protocol::head::Version;
use crate::protocol::http1::{LocalReply, RequestMethod, write_local_reply};
use crate::runtime::clock;

/// A client that doesn't take even an error within this is gone.
const SEND_TIME: Duration = Duration::from_secs(5);

/// How an answer is framed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) close: bool,
    pub(super) head_request: bool,
    pub(super) version: Version,
}

impl Default for Shape {
    /// For a head that nothing is known of.
    fn default() -> Self {
        Self {
            close: true,
            head_request: false,
            version: Version::Http11,
        }
    }
}

impl Shape {
    /// An answer that ends the connection.
    pub(super) fn closing(facts: Facts) -> Self {
        let head_request = matches!(facts.method, RequestMethod::Head);
        Self {
            close: true,
            head_request,
            version: facts.version,
        }
    }
}

/// Sends the answer that stands for `kind`.
///
/// # Errors
/// The client is gone.
pub(super) async fn send(
    conn: &Downstream,
    kind: ErrorKind,
    shape: Shape,
    record: &Record,
) -> std::io::Result<()> {
    let mut out = conn.worker().take_scratch();
    let body = text(kind);
    let details = [
        ("x-meshcore-flags", kind.flag()),
        ("x-meshcore-route", record.route_name()),
        ("x-meshcore-cluster", record.cluster_name()),
    ];
    let explain = record.current.listener.wire.http.explain_errors;
    let told = details
        .iter()
        .filter(|(_, value)| explain && !value.is_empty());
    let told: smallvec::SmallVec<[(&str, &str); 3]> = told.copied().collect();
    let reply = LocalReply {
        status: kind.status(),
        code: kind.code(),
        extra: &told,
        body: &body,
        close: shape.close,
        head_request: shape.head_request,
        version: shape.version,
    };
    write_local_reply(&reply, &mut out);
    let deadline = Some(clock::now() + SEND_TIME);
    let written = conn.timer.until(deadline, write_all(&conn.io, &out)).await;
    conn.worker().give_scratch(out);
    match written {
        Ok(result) => result,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// Answers a stream with what stands for `kind`; a gRPC client reads a status of its own
/// (docs/troubleshooting.md has the table).
///
/// # Errors
/// The client is gone.
pub(super) fn send_http2(
    respond: &mut SendResponse<Bytes>,
    kind: ErrorKind,
    facts: Option<Facts>,
    record: &mut Record,
) -> Result<(), h2::Error> {
    let text = text(kind);
    let mut response = http::Response::new(());
    let fields = response.headers_mut();
    fields.insert("x-meshcore-error", HeaderValue::from_static(kind.code()));
    if record.current.listener.wire.http.explain_errors {
        explain(fields, kind, record);
    }
    if facts.is_some_and(|facts| facts.grpc) {
        let code = grpc::status_of(kind);
        record.grpc_status = Some(u32::from(code as u8));
        record.status = 200;
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        fields.insert("grpc-status", HeaderValue::from_static(code.as_str()));
        if let Ok(message) = HeaderValue::from_str(&grpc::message(text.trim_end())) {
            fields.insert("grpc-message", message);
        }
        return respond.send_response(response, true).map(drop);
    }
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    fields.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    *response.status_mut() =
        StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let is_head = facts.is_some_and(|facts| matches!(facts.method, RequestMethod::Head));
    let mut stream = respond.send_response(response, is_head)?;
    if is_head {
        return Ok(());
    }
    // A few dozen bytes; where the window has no room, h2 keeps them until it has.
    stream.send_data(Bytes::from(text), true)
}

fn explain(fields: &mut HeaderMap, kind: ErrorKind, record: &Record) {
    let details = [
        ("x-meshcore-flags", kind.flag()),
        ("x-meshcore-route", record.route_name()),
        ("x-meshcore-cluster", record.cluster_name()),
    ];
    for (name, value) in details {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            fields.insert(name, value);
        }
    }
}

fn text(kind: ErrorKind) -> String {
    let mut text = kind.code().replace('_', " ");
    text.push('\n');
    text
}

/// Resets the connection at its close: what was cut must not look complete.
pub(super) fn cut(conn: &Downstream) {
    conn.io.socket().reset_on_close();
}
