//! Responses of our own.

use super::number;
use super::response::connection;
use super::response::status_line;
use crate::protocol::head::Version;
use crate::protocol::http1::names::is_value_byte;

/// An answer that no upstream gave.
#[derive(Debug, Clone, Copy)]
pub struct LocalReply<'a> {
    /// 200 to 599.
    pub status: u16,
    /// Sent as `x-meshcore-error`; empty sends none.
    pub code: &'a str,
    /// The type of the body, also where that is empty.
    pub content_type: &'a str,
    /// Further fields; what no value may hold is replaced by `?`.
    pub extra: &'a [(&'a str, &'a str)],
    /// What follows the head.
    pub body: &'a str,
    /// Whether the connection ends with it.
    pub close: bool,
    /// Answers HEAD: the body is announced and not sent.
    pub head_request: bool,
    /// The client's version.
    pub version: Version,
}

/// Appends the whole answer to `out`.
pub fn write_local_reply(reply: &LocalReply<'_>, out: &mut Vec<u8>) {
    status_line(reply.status, reason(reply.status).as_bytes(), out);
    if reply.status != 204 && reply.status != 304 {
        safe_field(out, "content-type", reply.content_type);
        let length = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
        number(out, "content-length", length);
    }
    if !reply.code.is_empty() {
        safe_field(out, "x-meshcore-error", reply.code);
    }
    for (name, value) in reply.extra {
        safe_field(out, name, value);
    }
    connection(reply.version, !reply.close, out);
    out.extend_from_slice(b"\r\n");
    if !reply.head_request && reply.status != 204 && reply.status != 304 {
        out.extend_from_slice(reply.body.as_bytes());
    }
}

/// Details may quote what a peer sent.
fn safe_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(
        value
            .bytes()
            .map(|byte| if is_value_byte(byte) { byte } else { b'?' }),
    );
    out.extend_from_slice(b"\r\n");
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        425 => "Too Early",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
