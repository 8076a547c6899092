//! A request's head for an upstream, always as HTTP/1.1.

use super::field;
use super::number;
use super::via;
use crate::protocol::edits::RequestEdits;
use crate::protocol::head::Field;
use crate::protocol::head::numbered;
use crate::protocol::http1::framing::Framing;
use crate::protocol::http1::request::RequestHead;
use crate::protocol::http1::request::TargetForm;

/// Appends the head to `out`.
pub fn write_request(head: &RequestHead<'_, '_>, edits: &RequestEdits<'_>, out: &mut Vec<u8>) {
    let text: usize = head.fields.iter().fold(head.target.len(), |sum, field| {
        sum.saturating_add(field.name.len())
            .saturating_add(field.value.len())
            .saturating_add(4)
    });
    out.reserve(text.saturating_add(super::ADDED));
    request_line(head, edits, out);
    let host_moves = head
        .known
        .host
        .is_none_or(|index| head.dropped.contains(index));
    if let Some(authority) = edits.authority {
        field(out, "host", authority.as_bytes());
    } else if host_moves {
        field(out, "host", head.authority.text.as_bytes());
    }
    passing_fields(head, edits, out);
    forwarded_fields(head, edits, out);
    if let Some(id) = edits.request_id.filter(|_| edits.writes("x-request-id")) {
        field(out, "x-request-id", id);
    }
    if let Some(timeout) = edits.grpc_timeout.filter(|_| edits.writes("grpc-timeout")) {
        field(out, "grpc-timeout", timeout);
    }
    if let Some(key) = edits.websocket_key {
        field(out, "sec-websocket-key", key);
    }
    if let Some(pseudonym) = edits.via.filter(|_| edits.writes("via")) {
        via(out, head.version, pseudonym);
    }
    for (name, value) in edits.fields.iter().flat_map(|fields| fields.added()) {
        field(out, name, value);
    }
    connection_fields(head, edits, out);
    match edits.framing.unwrap_or(head.framing) {
        Framing::None => {}
        Framing::Length(length) => number(out, "content-length", length),
        Framing::Chunked => field(out, "transfer-encoding", b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
}

fn request_line(head: &RequestHead<'_, '_>, edits: &RequestEdits<'_>, out: &mut Vec<u8>) {
    let method = edits.method.unwrap_or(head.method);
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    match (head.form, edits.path) {
        (TargetForm::Authority, _) | (TargetForm::Origin | TargetForm::Asterisk, None) => {
            out.extend_from_slice(head.target.as_bytes());
        }
        (_, path) => {
            out.extend_from_slice(path.unwrap_or(head.path).as_bytes());
            if let Some(query) = head.query {
                out.push(b'?');
                out.extend_from_slice(query.as_bytes());
            }
        }
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

fn passing_fields(head: &RequestHead<'_, '_>, edits: &RequestEdits<'_>, out: &mut Vec<u8>) {
    let withheld = edits.withheld(head);
    for (index, Field { name, value }) in numbered(head.fields) {
        if !withheld.contains(index) {
            field(out, name, value);
        }
    }
}

fn forwarded_fields(head: &RequestHead<'_, '_>, edits: &RequestEdits<'_>, out: &mut Vec<u8>) {
    if edits.writes_addresses() {
        out.extend_from_slice(b"x-forwarded-for: ");
        if let Some(list) = edits.addresses_before(head) {
            out.extend_from_slice(list);
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(edits.client_ip.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if edits.writes_proto(head) {
        field(out, "x-forwarded-proto", edits.proto.as_bytes());
    }
}

/// RFC 9110 §7.6.1: what is meant for the next hop alone is named in Connection.
fn connection_fields(head: &RequestHead<'_, '_>, edits: &RequestEdits<'_>, out: &mut Vec<u8>) {
    let upgrade = head.upgrade.filter(|_| edits.upgrade);
    match (upgrade.is_some(), head.te_trailers) {
        (true, true) => field(out, "connection", b"upgrade, te"),
        (true, false) => field(out, "connection", b"upgrade"),
        (false, true) => field(out, "connection", b"te"),
        (false, false) => {}
    }
    if let Some(protocols) = upgrade {
        field(out, "upgrade", protocols);
    }
    if head.te_trailers {
        field(out, "te", b"trailers");
    }
}
