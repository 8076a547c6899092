//! A request's head from HTTP/2 and for it (RFC 9113 §8.3.1).
//!
//! The `h2` crate has checked: pseudo-fields are there once, first and no others; names are lower
//! case; values hold no control bytes; no field belongs to a connection, `te` is `trailers`;
//! `:scheme`, `:path` and `:authority` parse as parts of a URI; content-lengths are equal and, with
//! the stream's end, 0. Left to us are a missing `:path`, Host beside `:authority` (TR-5), several
//! content-lengths, blanks around values (TR-8), `"` in names, and all that HTTP/1 refuses too. A
//! fragment in `:path` the crate cuts off: there is one reading, nobody sees another.
//!
//! Nothing trusts `:scheme`: whoever relies on it asks the connection.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use http::uri::Authority;
use http::uri::PathAndQuery;
use http::uri::Scheme;
use http::uri::Uri;

use super::fields;
use crate::protocol::edits::RequestEdits;
use crate::protocol::error::HeadError;
use crate::protocol::head::Version;
use crate::protocol::http1::FieldStorage;
use crate::protocol::http1::Framing;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::RequestHead;
use crate::protocol::http1::TargetForm;
use crate::protocol::http1::fields::drop_named;
use crate::protocol::http1::names::trim_blanks;
use crate::protocol::http1::request;
use crate::protocol::http1::request::RawRequest;
use crate::protocol::websocket;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");

/// What every field counts beside its name and value.
const FIELD_BYTES: usize = 32;

/// Refuses a head with more fields, crumbs of cookies counted, or more bytes than allowed, each field
/// with [`FIELD_BYTES`] beside its name and value (RFC 9113 §6.5.2, HA-4).
pub fn check_size(headers: &HeaderMap, limits: &HeadLimits) -> Result<(), HeadError> {
    if headers.len() > limits.count {
        return Err(HeadError::TooManyFields);
    }
    let bytes = headers.iter().fold(0_usize, |sum, (name, value)| {
        sum.saturating_add(name.as_str().len())
            .saturating_add(value.len())
            .saturating_add(FIELD_BYTES)
    });
    if bytes > limits.bytes {
        return Err(HeadError::TooManyBytes);
    }
    Ok(())
}

/// Joins cookies that came in pieces, as they may in HTTP/2 alone (RFC 9113 §8.2.3). To be called
/// before the head is read.
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let mut joined = Vec::new();
    for crumb in headers.get_all(header::COOKIE) {
        let crumb = trim_blanks(crumb.as_bytes());
        // An empty one would leave a separator at the end.
        if crumb.is_empty() {
            continue;
        }
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(crumb);
    }
    // Valid values stay valid when joined.
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(joined)) {
        headers.insert(header::COOKIE, value);
    }
}

/// Reads the head of a request that the `h2` crate accepted; `end_stream` says that no body follows.
///
/// A WebSocket over HTTP/2 (RFC 8441) is read as the GET with Upgrade that it is in HTTP/1, so that
/// one route serves both. After CONNECT, of either kind, DATA is the tunnel and no body.
pub fn read_request<'b, 's>(
    parts: &'b http::request::Parts,
    end_stream: bool,
    storage: &'s mut FieldStorage<'b>,
    limits: &HeadLimits,
) -> Result<RequestHead<'b, 's>, HeadError> {
    let protocol = parts.extensions.get::<h2::ext::Protocol>();
    let tunnel = parts.method == Method::CONNECT;
    let authority = parts.uri.authority().map(Authority::as_str);
    let (method, target) = match (tunnel, protocol) {
        (true, None) => ("CONNECT", authority.unwrap_or_default()),
        (true, Some(_)) => ("GET", path_of(&parts.uri)?),
        (false, _) => (parts.method.as_str(), path_of(&parts.uri)?),
    };
    let raw = RawRequest {
        method,
        target,
        version: Version::Http2,
        authority: authority.filter(|_| method != "CONNECT"),
        fields: fields::read(&parts.headers, storage, limits)?,
        underscores: Some(limits.underscores),
        undeclared: if end_stream || tunnel {
            Framing::None
        } else {
            Framing::Chunked
        },
    };
    let mut head = request::read(&raw, limits.target)?;
    // TR-4: announced, but the stream has ended.
    if end_stream && !head.framing.is_empty() {
        return Err(HeadError::Length);
    }
    if tunnel {
        if !head.framing.is_empty() {
            return Err(HeadError::ConnectBody);
        }
        head.framing = Framing::None;
    }
    if let Some(protocol) = protocol {
        if !websocket::is_asked(protocol.as_ref()) {
            return Err(HeadError::Protocol);
        }
        head.upgrade = Some(protocol.as_ref());
    }
    Ok(head)
}

/// `:path`. The crate lets it be missing where `:authority` is missing too (TR-3).
fn path_of(uri: &Uri) -> Result<&str, HeadError> {
    uri.path_and_query()
        .filter(|_| !uri.path().is_empty())
        .map(PathAndQuery::as_str)
        .ok_or(HeadError::Target)
}

/// Makes the request for an upstream.
///
/// The WebSocket that the client wants and the edits allow becomes a CONNECT (RFC 8441 §5); any other
/// upgrade has no meaning in HTTP/2 and is left out. Without an authority, as from HTTP/1.0, there is
/// none, and the crate then writes `http` for the scheme.
pub fn write_request(
    head: &RequestHead<'_, '_>,
    edits: &RequestEdits<'_>,
    scheme: &'static str,
) -> Result<http::Request<()>, HeadError> {
    let websocket =
        edits.upgrade && head.method == "GET" && head.upgrade.is_some_and(websocket::is_asked);
    let method = edits.method.unwrap_or(head.method);
    let mut request = http::Request::new(());
    *request.method_mut() = if websocket {
        Method::CONNECT
    } else {
        Method::from_bytes(method.as_bytes()).map_err(|_| HeadError::StartLine)?
    };
    let uri = uri(head, edits, scheme)?;
    if uri.authority().is_some() {
        *request.version_mut() = http::Version::HTTP_2;
    }
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(head, edits, websocket)?;
    if websocket {
        let protocol = h2::ext::Protocol::from_static("websocket");
        request.extensions_mut().insert(protocol);
    }
    Ok(request)
}

fn uri(
    head: &RequestHead<'_, '_>,
    edits: &RequestEdits<'_>,
    scheme: &'static str,
) -> Result<Uri, HeadError> {
    let authority = edits.authority.unwrap_or(head.authority.text);
    let mut parts = http::uri::Parts::default();
    if !authority.is_empty() {
        let authority = Authority::try_from(authority).map_err(|_| HeadError::Host)?;
        parts.authority = Some(authority);
    }
    if head.form != TargetForm::Authority {
        parts.path_and_query = Some(path(head, edits)?);
        parts.scheme = match (&parts.authority, scheme) {
            (None, _) => None,
            (Some(_), "https") => Some(Scheme::HTTPS),
            (Some(_), _) => Some(Scheme::HTTP),
        };
    }
    Uri::from_parts(parts).map_err(|_| HeadError::Target)
}

fn path(head: &RequestHead<'_, '_>, edits: &RequestEdits<'_>) -> Result<PathAndQuery, HeadError> {
    let bytes = match (head.form, edits.path) {
        (TargetForm::Origin | TargetForm::Asterisk, None) => {
            Bytes::copy_from_slice(head.target.as_bytes())
        }
        (_, path) => {
            let path = path.unwrap_or(head.path);
            match head.query {
                Some(query) => Bytes::from([path, "?", query].concat()),
                None => Bytes::copy_from_slice(path.as_bytes()),
            }
        }
    };
    PathAndQuery::from_maybe_shared(bytes).map_err(|_| HeadError::Target)
}

fn headers(
    head: &RequestHead<'_, '_>,
    edits: &RequestEdits<'_>,
    websocket: bool,
) -> Result<HeaderMap, HeadError> {
    let mut withheld = edits.withheld(head);
    // `:authority` says it.
    if let Some(index) = head.known.host {
        withheld.insert(index);
    }
    if websocket {
        drop_named(b"sec-websocket-key", head.fields, &mut withheld);
    }
    let mut map = fields::passing(head.fields, &withheld)?;
    if edits.writes_addresses() {
        map.append(X_FORWARDED_FOR, addresses(head, edits)?);
    }
    if edits.writes_proto(head) {
        let proto = match edits.proto {
            "http" => HTTP,
            "https" => HTTPS,
            other => fields::value(other.as_bytes())?,
        };
        map.append(X_FORWARDED_PROTO, proto);
    }
    if let Some(id) = edits.request_id.filter(|_| edits.writes("x-request-id")) {
        let mut id = fields::value(id)?;
        // Each is new: in the connection's compression table it would only push others out.
        id.set_sensitive(true);
        map.append(X_REQUEST_ID, id);
    }
    if let Some(timeout) = edits.grpc_timeout.filter(|_| edits.writes("grpc-timeout")) {
        map.append(GRPC_TIMEOUT, fields::value(timeout)?);
    }
    if let Some(pseudonym) = edits.via.filter(|_| edits.writes("via")) {
        map.append(header::VIA, fields::via(head.version, pseudonym)?);
    }
    fields::append(edits.fields, &mut map)?;
    if head.te_trailers {
        map.append(header::TE, TRAILERS);
    }
    if let Framing::Length(length) = edits.framing.unwrap_or(head.framing)
        && !websocket
    {
        map.append(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(map)
}

fn addresses(
    head: &RequestHead<'_, '_>,
    edits: &RequestEdits<'_>,
) -> Result<HeaderValue, HeadError> {
    let ours = edits.client_ip.as_bytes();
    match edits.addresses_before(head) {
        Some(list) => fields::value(&[list, b", ", ours].concat()),
        None => fields::value(ours),
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
