//! The head that an upstream gets, in the form that its protocol has.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TE};

use super::super::connection::Downstream;
use super::super::listener::Current;
use crate::protocol::edits::FieldEdits;
use crate::protocol::error::HeadError;
use crate::protocol::head::Version;
use crate::protocol::http1::{Framing, RequestEdits, RequestHead, write_request};
use crate::protocol::{grpc, grpc_web, http2, websocket};
use crate::proxy::link::Speaks;
use crate::wire::listener::Http;

/// A head as an upstream may want it; both forms where only its connection will tell.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// The bytes of HTTP/1.1; none where that isn't spoken.
    pub(super) http1: Vec<u8>,
    /// What else there may be; boxed, so that most requests don't carry it along.
    pub(super) other: Option<Box<OtherHeads>>,
}

/// What only HTTP/2 and WebSocket need.
#[derive(Debug, Default)]
pub(super) struct OtherHeads {
    /// What the h2 crate sends.
    pub(super) http2: Option<http::Request<()>>,
    /// The key of a WebSocket's HTTP/1 side: the client's, or ours towards the upstream.
    pub(super) websocket_key: Option<Box<[u8]>>,
}

impl Heads {
    /// What the h2 crate sends.
    pub(super) fn http2(&self) -> Option<&http::Request<()>> {
        self.other.as_ref()?.http2.as_ref()
    }

    /// See [`OtherHeads`].
    pub(super) fn websocket_key(&self) -> Option<&[u8]> {
        self.other.as_ref()?.websocket_key.as_deref()
    }
}

/// What the upstream's head is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// In place of the method.
    pub(super) method: Option<&'a str>,
    /// How the body is framed, if that differs.
    pub(super) framing: Option<Framing>,
    /// The path, if it differs.
    pub(super) path: Option<&'a str>,
    /// In place of the authority.
    pub(super) authority: Option<&'a str>,
    /// What the route changes.
    pub(super) fields: Option<&'a FieldEdits>,
    /// The one that we give the request.
    pub(super) request_id: Option<&'a RequestId>,
    pub(super) speaks: Speaks,
    /// `http` or `https`, towards the upstream.
    pub(super) scheme: &'static str,
    /// The time that a gRPC server has.
    pub(super) timeout: Option<Duration>,
    /// gRPC-Web goes on as gRPC.
    pub(super) grpc_web: bool,
}

/// Writes `head` for an upstream.
///
/// # Errors
/// What HTTP/2 has no form for.
pub(super) fn heads(
    conn: &Downstream,
    current: &Current,
    head: &RequestHead<'_, '_>,
    wanted: Wanted<'_>,
) -> Result<Heads, HeadError> {
    let http = &current.listener.wire.http;
    let key = websocket_key(conn, head);
    let left = wanted.timeout.map(grpc::timeout_text);
    let edits = RequestEdits {
        method: wanted.method,
        framing: wanted.framing,
        path: wanted.path,
        authority: wanted.authority,
        client_ip: conn.peer_ip(),
        proto: if conn.is_tls() { "https" } else { "http" },
        keep_forwarded: http.trusted_hops > 0,
        request_id: wanted.request_id.map(RequestId::as_bytes),
        via: http.via.as_deref(),
        upgrade: head.upgrade.is_some(),
        websocket_key: key.as_deref().filter(|_| head.version == Version::Http2),
        grpc_timeout: left.as_ref().map(grpc::TimeoutText::as_bytes),
        fields: wanted.fields,
    };
    let mut heads = Heads::default();
    if wanted.speaks != Speaks::Http2 {
        heads.http1 = conn.worker().take_scratch();
        // The endpoint of a tunnel gets bytes, not a head.
        if head.method != "CONNECT" {
            write_request(head, &edits, &mut heads.http1);
        }
    }
    if wanted.speaks != Speaks::Http1 || key.is_some() {
        let mut http2 = None;
        if wanted.speaks != Speaks::Http1 {
            let request = http2.insert(http2::write_request(head, &edits, wanted.scheme)?);
            if wanted.grpc_web {
                become_grpc(request.headers_mut())?;
            }
        }
        heads.other = Some(Box::new(OtherHeads {
            http2,
            websocket_key: key,
        }));
    }
    Ok(heads)
}

/// A body that is coded anew has another length, and gRPC's servers want to hear that trailers pass.
fn become_grpc(fields: &mut HeaderMap) -> Result<(), HeadError> {
    if let Some(kind) = fields.get(CONTENT_TYPE) {
        let kind = grpc_web::grpc_type(kind.as_bytes());
        let kind = HeaderValue::from_bytes(&kind).map_err(|_| HeadError::FieldValue)?;
        fields.insert(CONTENT_TYPE, kind);
    }
    fields.remove(CONTENT_LENGTH);
    fields.insert(TE, HeaderValue::from_static("trailers"));
    Ok(())
}

/// An HTTP/2 client has no key; an HTTP/1 upstream needs one. An HTTP/1 client's is answered by us
/// where the upstream speaks HTTP/2.
fn websocket_key(conn: &Downstream, head: &RequestHead<'_, '_>) -> Option<Box<[u8]>> {
    let upgrade = head.upgrade?;
    if !upgrade.eq_ignore_ascii_case(b"websocket") {
        return None;
    }
    if head.version == Version::Http2 {
        let random = conn
            .worker()
            .with_random(|random| (random.next_u64(), random.next_u64()));
        let random = (u128::from(random.0) << 64) | u128::from(random.1);
        return Some(Box::from(&websocket::make_key(random)[..]));
    }
    let mut keys = crate::protocol::head::values(head.fields, "sec-websocket-key");
    keys.next().map(Box::from)
}

/// Two digits for each byte.
const DIGITS: [[u8; 2]; 256] = {
    let hexadecimal = b"0123456789abcdef";
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = [hexadecimal[byte >> 4], hexadecimal[byte & 0xf]];
        byte += 1;
    }
    digits
};

/// Where a UUID's bytes stand in its text (RFC 9562 §4).
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The text of a random UUID (RFC 9562 §5.4).
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestId([u8; 36]);

impl RequestId {
    /// A new one, where the listener wants it; one that a trusted proxy gave stays.
    pub(super) fn wanted(
        conn: &Downstream,
        http: &Http,
        head: &RequestHead<'_, '_>,
    ) -> Option<Self> {
        let stays = http.trusted_hops > 0 && head.known.request_id.is_some();
        (http.request_id && !stays).then(|| Self::random(conn))
    }

    fn random(conn: &Downstream) -> Self {
        let (high, low) = conn
            .worker()
            .with_random(|random| (random.next_u64(), random.next_u64()));
        let high = (high & !0xf000) | 0x4000;
        let low = (low & !(0b11 << 62)) | (0b10 << 62);
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        let mut text = [b'-'; 36];
        // Over two arrays, so that every place is known when this is compiled.
        for (byte, place) in bytes.into_iter().zip(PLACES) {
            text[place..place + 2].copy_from_slice(&DIGITS[usize::from(byte)]);
        }
        Self(text)
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{DIGITS, PLACES};

    #[test]
    fn digits_and_places_fill_a_uuid() {
        assert_eq!((&DIGITS[0x0f], &DIGITS[0xa7]), (b"0f", b"a7"));
        let text: String = (0..36)
            .map(|at| {
                let digit = PLACES.iter().any(|place| (*place..place + 2).contains(&at));
                if digit { 'x' } else { '-' }
            })
            .collect();
        assert_eq!(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
    }
}
