//! Responses of our own.

use std::borrow::Cow;

use super::number;
use super::response::connection;
use super::response::status_line;
use crate::protocol::head::Version;
use crate::protocol::http1::names::is_value_byte;

/// The head of an answer that no upstream gave.
#[derive(Debug, Clone, Copy)]
pub struct LocalReply<'a> {
    /// 200 to 599.
    pub status: u16,
    /// Its fields; what no value may hold is replaced by `?`.
    pub fields: &'a [(Cow<'a, str>, Cow<'a, [u8]>)],
    /// Bytes of the body.
    pub length: usize,
    /// Whether the connection ends with it.
    pub close: bool,
    /// Answers HEAD: the body is announced and not sent.
    pub head_request: bool,
    /// The client's version.
    pub version: Version,
}

/// Appends the head to `out`; gives whether the body follows.
pub fn write_local_reply(reply: &LocalReply<'_>, out: &mut Vec<u8>) -> bool {
    status_line(reply.status, reason(reply.status).as_bytes(), out);
    for (name, value) in reply.fields {
        safe_field(out, name, value);
    }
    // RFC 9110 §6.4.1: these have none.
    let bodiless = reply.status == 204 || reply.status == 304;
    if !bodiless {
        let length = u64::try_from(reply.length).unwrap_or(u64::MAX);
        number(out, "content-length", length);
    }
    connection(reply.version, !reply.close, out);
    out.extend_from_slice(b"\r\n");
    !bodiless && !reply.head_request
}

/// Details may quote what a peer sent.
fn safe_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let safe = |byte: &u8| if is_value_byte(*byte) { *byte } else { b'?' };
    out.extend(value.iter().map(safe));
    out.extend_from_slice(b"\r\n");
}

/// The phrases of RFC 9110 §15 and what else a route may answer; clients ignore them.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
