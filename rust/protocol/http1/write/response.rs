//! A response's head for a client, always as HTTP/1.1: that is the version we speak, whatever the
//! client does (RFC 9110 §2.5).

use super::field;
use super::number;
use super::via;
use crate::protocol::edits::AnswerEdits;
use crate::protocol::head::Field;
use crate::protocol::head::FieldSet;
use crate::protocol::head::Version;
use crate::protocol::head::numbered;
use crate::protocol::http1::fields::drop_named;
use crate::protocol::http1::framing::ResponseFraming;
use crate::protocol::http1::response::ResponseHead;

/// What the proxy changes.
#[derive(Debug, Clone, Copy)]
pub struct ResponseEdits<'a> {
    /// Whether the downstream connection is to stay.
    pub keep_alive: bool,
    /// The client's version.
    pub downstream_version: Version,
    /// What is added and taken.
    pub own: AnswerEdits<'a>,
    /// Pass Upgrade on: with a 101 that was asked for.
    pub upgrade: bool,
}

/// Appends the head to `out` and returns whether the downstream connection stays, which it can't
/// where its close ends the body.
pub fn write_response(
    head: &ResponseHead<'_, '_>,
    edits: &ResponseEdits<'_>,
    out: &mut Vec<u8>,
) -> bool {
    reserve(head, out);
    status_line(head.status, head.reason.as_bytes(), out);
    passing_fields(head, head.dropped, edits.own, out);
    let framing = head.framing_for(edits.downstream_version);
    match framing {
        ResponseFraming::Chunked => field(out, "transfer-encoding", b"chunked"),
        ResponseFraming::Length(length) => number(out, "content-length", length),
        ResponseFraming::None => {
            if let Some(length) = head.length {
                number(out, "content-length", length);
            }
        }
        ResponseFraming::UntilClose => {}
    }
    let stays = edits.keep_alive && framing != ResponseFraming::UntilClose;
    if let Some(protocol) = head.upgrade.filter(|_| edits.upgrade) {
        field(out, "connection", b"upgrade");
        field(out, "upgrade", protocol);
    } else if head.status >= 200 {
        connection(edits.downstream_version, stays, out);
    }
    out.extend_from_slice(b"\r\n");
    stays
}

/// Appends the 101 that a WebSocket client of HTTP/1 waits for, where the upstream accepted over
/// HTTP/2 with `head` (RFC 8441 §5); `accept` answers the client's key.
pub fn write_switch(
    head: &ResponseHead<'_, '_>,
    accept: &[u8],
    own: AnswerEdits<'_>,
    out: &mut Vec<u8>,
) {
    reserve(head, out);
    status_line(101, b"Switching Protocols", out);
    let mut withheld = head.dropped;
    drop_named(b"sec-websocket-accept", head.fields, &mut withheld);
    passing_fields(head, withheld, own, out);
    field(out, "connection", b"upgrade");
    field(out, "upgrade", b"websocket");
    field(out, "sec-websocket-accept", accept);
    out.extend_from_slice(b"\r\n");
}

fn passing_fields(
    head: &ResponseHead<'_, '_>,
    mut withheld: FieldSet,
    own: AnswerEdits<'_>,
    out: &mut Vec<u8>,
) {
    if let Some(fields) = own.fields {
        fields.withhold(head.fields, &mut withheld);
    }
    for (index, Field { name, value }) in numbered(head.fields) {
        if !withheld.contains(index) {
            field(out, name, value);
        }
    }
    if let Some(pseudonym) = own.via {
        via(out, head.version, pseudonym);
    }
    for (name, value) in own.fields.iter().flat_map(|fields| fields.added()) {
        field(out, name, value);
    }
}

/// Makes the room that the head will need.
fn reserve(head: &ResponseHead<'_, '_>, out: &mut Vec<u8>) {
    let text: usize = head.fields.iter().fold(head.reason.len(), |sum, field| {
        sum.saturating_add(field.name.len())
            .saturating_add(field.value.len())
            .saturating_add(4)
    });
    out.reserve(text.saturating_add(super::ADDED));
}

/// `HTTP/1.1 200 OK`.
pub(super) fn status_line(status: u16, reason: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Says what the client's version doesn't already imply.
pub(super) fn connection(version: Version, stays: bool, out: &mut Vec<u8>) {
    match (stays, version) {
        (true, Version::Http11 | Version::Http2) => {}
        (true, Version::Http10) => field(out, "connection", b"keep-alive"),
        (false, _) => field(out, "connection", b"close"),
    }
}
