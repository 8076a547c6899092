//! A response's head from HTTP/2 and for it (RFC 9113 §8.3.2).
//!
//! The `h2` crate has checked what it checks of a request; `:status` it takes from 100 to 999.

use http::HeaderValue;
use http::StatusCode;
use http::header;

use super::fields;
use crate::protocol::edits::AnswerEdits;
use crate::protocol::error::HeadError;
use crate::protocol::head::FieldSet;
use crate::protocol::head::Version;
use crate::protocol::http1::FieldStorage;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::RequestMethod;
use crate::protocol::http1::ResponseFraming;
use crate::protocol::http1::ResponseHead;
use crate::protocol::http1::fields::drop_named;
use crate::protocol::http1::response;
use crate::protocol::http1::response::RawResponse;

/// Reads the head of a response that the `h2` crate accepted; `end_stream` says that no body follows.
///
/// A WebSocket's CONNECT is a [`RequestMethod::Connect`] here. Where the framing is
/// [`ResponseFraming::None`] the stream may go on: then there is a tunnel, or DATA that has no place.
pub fn read_response<'b, 's>(
    parts: &'b http::response::Parts,
    end_stream: bool,
    storage: &'s mut FieldStorage<'b>,
    limits: &HeadLimits,
    method: RequestMethod,
) -> Result<ResponseHead<'b, 's>, HeadError> {
    // RFC 9113 §8.6: nothing switches protocols here.
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(HeadError::StartLine);
    }
    let raw = RawResponse {
        status: parts.status.as_u16(),
        reason: parts.status.canonical_reason().unwrap_or_default(),
        version: Version::Http2,
        fields: fields::read(&parts.headers, storage, limits)?,
        undeclared: if end_stream {
            ResponseFraming::Length(0)
        } else {
            ResponseFraming::Chunked
        },
    };
    let mut head = response::read(&raw, method)?;
    // TR-4: announced, but the stream has ended.
    if end_stream && !head.framing.is_empty() {
        return Err(HeadError::Length);
    }
    // Streams end alone; the connection stays.
    head.keep_alive = true;
    Ok(head)
}

/// Makes the response, interim or final, for a client; an upstream's 101 goes by [`write_tunnel`].
pub fn write_response(
    head: &ResponseHead<'_, '_>,
    edits: AnswerEdits<'_>,
) -> Result<http::Response<()>, HeadError> {
    if head.status == 101 {
        return Err(HeadError::StartLine);
    }
    let status = StatusCode::from_u16(head.status).map_err(|_| HeadError::StartLine)?;
    let mut response = made(head, status, head.dropped, edits)?;
    if let Some(length) = head.length {
        let value = HeaderValue::from(length);
        response.headers_mut().append(header::CONTENT_LENGTH, value);
    }
    Ok(response)
}

/// Makes the 200 that a WebSocket client of HTTP/2 waits for, where the upstream accepted over HTTP/1
/// with `head`, a 101 (RFC 8441 §5).
pub fn write_tunnel(
    head: &ResponseHead<'_, '_>,
    edits: AnswerEdits<'_>,
) -> Result<http::Response<()>, HeadError> {
    let mut withheld = head.dropped;
    drop_named(b"sec-websocket-accept", head.fields, &mut withheld);
    made(head, StatusCode::OK, withheld, edits)
}

fn made(
    head: &ResponseHead<'_, '_>,
    status: StatusCode,
    mut withheld: FieldSet,
    edits: AnswerEdits<'_>,
) -> Result<http::Response<()>, HeadError> {
    if let Some(fields) = edits.fields {
        fields.withhold(head.fields, &mut withheld);
    }
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = http::Version::HTTP_2;
    *response.headers_mut() = fields::passing(head.fields, &withheld)?;
    if let Some(pseudonym) = edits.via {
        let value = fields::via(head.version, pseudonym)?;
        response.headers_mut().append(header::VIA, value);
    }
    fields::append(edits.fields, response.headers_mut())?;
    Ok(response)
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
