//! Answers that the proxy makes itself.

use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use smallvec::SmallVec;

use super::super::connection::Downstream;
use super::super::upstream::write_all;
use super::admit::Facts;
use super::record::Record;
use crate::error::ErrorKind;
use crate::protocol::head::Version;
use crate::protocol::http1::{LocalReply, RequestMethod, write_local_reply};
use crate::protocol::{grpc, grpc_web};
use crate::runtime::clock;

/// A client that doesn't take even an error within this is gone.
pub(super) const SEND_TIME: Duration = Duration::from_secs(5);

/// How an answer is framed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) close: bool,
    pub(super) head_request: bool,
    pub(super) version: Version,
    /// A gRPC-Web client asked.
    pub(super) grpc_web: Option<grpc_web::Call>,
}

impl Default for Shape {
    /// For a head that nothing is known of.
    fn default() -> Self {
        Self {
            close: true,
            head_request: false,
            version: Version::Http11,
            grpc_web: None,
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
            grpc_web: facts.grpc_web,
        }
    }
}

/// Sends the answer that stands for `kind`; a gRPC-Web client reads a status of its own.
///
/// # Errors
/// The client is gone.
pub(super) async fn send(
    conn: &Downstream,
    kind: ErrorKind,
    shape: Shape,
    record: &mut Record,
) -> std::io::Result<()> {
    let mut out = conn.worker().take_scratch();
    match shape.grpc_web {
        Some(call) => write_status(kind, (shape, call), record, &mut out),
        None => write_text(kind, shape, record, &mut out),
    }
    let deadline = Some(clock::now() + SEND_TIME);
    let written = conn.timer.until(deadline, write_all(&conn.io, &out)).await;
    conn.worker().give_scratch(out);
    match written {
        Ok(result) => result,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

fn write_text(kind: ErrorKind, shape: Shape, record: &Record, out: &mut Vec<u8>) {
    let reply = LocalReply {
        status: kind.status(),
        code: kind.code(),
        content_type: "text/plain",
        extra: &details(kind, record),
        body: &text(kind),
        close: shape.close,
        head_request: shape.head_request,
        version: shape.version,
    };
    write_local_reply(&reply, out);
}

/// Writes a gRPC status as the fields of a head that is all.
fn write_status(
    kind: ErrorKind,
    (shape, call): (Shape, grpc_web::Call),
    record: &mut Record,
    out: &mut Vec<u8>,
) {
    let code = grpc::status_of(kind);
    record.grpc_status = Some(u32::from(code as u8));
    record.status = 200;
    let text = text(kind);
    let message = grpc::message(text.trim_end());
    let status = [("grpc-status", code.as_str()), ("grpc-message", &message)];
    let mut extra = details(kind, record);
    extra.extend(status);
    let content_type = answer_type(Some(call));
    let reply = LocalReply {
        status: 200,
        code: kind.code(),
        content_type: content_type.to_str().unwrap_or_default(),
        extra: &extra,
        body: "",
        close: shape.close,
        head_request: false,
        version: shape.version,
    };
    write_local_reply(&reply, out);
}

/// What is told beside the code where the listener explains errors.
fn details(kind: ErrorKind, record: &Record) -> SmallVec<[(&'static str, &str); 5]> {
    if !record.current.listener.wire.http.explain_errors {
        return SmallVec::new();
    }
    let details = [
        ("x-meshcore-flags", kind.flag()),
        ("x-meshcore-route", record.route_name()),
        ("x-meshcore-cluster", record.cluster_name()),
    ];
    let told = details.into_iter().filter(|(_, value)| !value.is_empty());
    told.collect()
}

/// The Content-Type of a gRPC status of ours.
fn answer_type(call: Option<grpc_web::Call>) -> HeaderValue {
    const GRPC: &str = "application/grpc";
    let asked = call.map(|call| call.answer_type(GRPC.as_bytes()));
    let asked = asked.and_then(|name| HeaderValue::from_bytes(&name).ok());
    asked.unwrap_or(const { HeaderValue::from_static(GRPC) })
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
        let call = facts.and_then(|facts| facts.grpc_web);
        fields.insert(CONTENT_TYPE, answer_type(call));
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

/// A gRPC client that has had a part of its answer learns from trailers how it ended.
pub(super) fn grpc_trailers(kind: ErrorKind) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(2);
    let code = grpc::status_of(kind).as_str();
    fields.insert("grpc-status", HeaderValue::from_static(code));
    if let Ok(message) = HeaderValue::from_str(&grpc::message(kind.code())) {
        fields.insert("grpc-message", message);
    }
    fields
}

fn explain(fields: &mut HeaderMap, kind: ErrorKind, record: &Record) {
    for (name, value) in details(kind, record) {
        if let Ok(value) = HeaderValue::from_str(value) {
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
